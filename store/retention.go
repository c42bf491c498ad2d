package store

// Retention is how many events of each class are kept; see EventClass.
type Retention map[EventClass]int

// DefaultRetention is how many events are kept in all where nothing else is configured.
const DefaultRetention = 100_000

// shares of the classes in a retention that is given as one number, in percent.
var shares = map[EventClass]int{ClassKeys: 5, ClassAdmin: 20, ClassSessions: 45, ClassOwn: 10, ClassRefusals: 20}

// ShareRetention divides total, or DefaultRetention where it is not positive, among the classes. What own
// has for a class is kept instead of its share.
func ShareRetention(total int, own Retention) Retention {
	if total <= 0 {
		total = DefaultRetention
	}
	r := Retention{}
	for _, class := range EventClasses {
		r[class] = max(total*shares[class]/100, 1)
		if own[class] > 0 {
			r[class] = own[class]
		}
	}
	return r
}

// Total is how many events are kept in all.
func (r Retention) Total() (n int) {
	for _, class := range EventClasses {
		n += r[class]
	}
	return n
}
