package layout

import (
	"bytes"
	"encoding/binary"

	"signet/store"
	"signet/store/codec"
)

// tallyFormat comes after the head of a tally. Earlier versions had the text of Same there, which begins
// with a letter; they read the head of ours and take the rest for a Same that no attempt has.
const tallyFormat = 2

// EncodeTally writes the record of a throttle count: failures 4 ‖ first 8 ‖ last 8 ‖ ends 8 ‖ format 1 ‖ length of same 1 ‖ same ‖ places of
// id 8 ‖ until 8.
func EncodeTally(t store.Tally) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 30+len(t.Same)+16*len(t.Reserved)), t.Failures)
	b = codec.AppendTime(b, t.First)
	b = codec.AppendTime(b, t.Last)
	b = codec.AppendTime(b, t.Ends)
	b = append(b, tallyFormat, byte(len(t.Same)))
	b = append(b, t.Same...)
	for _, r := range t.Reserved {
		b = append(b, r.ID[:]...)
		b = codec.AppendTime(b, r.Until)
	}
	return b
}

// DecodeTally reads what EncodeTally or an earlier version wrote.
func DecodeTally(raw []byte) (store.Tally, error) {
	r := codec.NewReader(raw)
	t := store.Tally{Failures: r.Uint32(), First: r.Time(), Last: r.Time(), Ends: r.Time()}
	rest := r.Rest()
	if len(rest) == 0 || rest[0] != tallyFormat {
		return t, r.Err() // of an earlier version
	}
	r = codec.NewReader(rest[1:])
	t.Same = bytes.Clone(r.Take(int(r.Byte())))
	for rest = r.Rest(); len(rest) > 0; rest = r.Rest() {
		r = codec.NewReader(rest)
		place := store.Reservation{ID: store.AttemptID(r.Take(8)), Until: r.Time()}
		if r.Err() != nil {
			break
		}
		t.Reserved = append(t.Reserved, place)
	}
	return t, r.Err()
}

const networkSize = store.FromSize + 2

// encodeNetworks writes, for each: network 6 ‖ day 2.
func encodeNetworks(n store.Networks) []byte {
	b := make([]byte, 0, networkSize*len(n))
	for _, k := range n {
		b = binary.BigEndian.AppendUint16(append(b, k.From[:]...), k.Day)
	}
	return b
}

func decodeNetworks(raw []byte) (n store.Networks, err error) {
	if len(raw)%networkSize != 0 {
		return nil, codec.ErrMalformed
	}
	for ; len(raw) > 0; raw = raw[networkSize:] {
		n = append(n, store.Network{From: [store.FromSize]byte(raw), Day: binary.BigEndian.Uint16(raw[store.FromSize:])})
	}
	return n, nil
}

// ReadNetworks returns the networks of a place; none where it has no record.
func ReadNetworks(tx *Tx, place []byte) (store.Networks, error) {
	raw, err := tx.Record(Networks, place)
	if err != nil {
		return nil, err
	}
	return decodeNetworks(raw)
}

// PutNetworks writes the networks of a place.
func PutNetworks(tx *Tx, place []byte, n store.Networks) error {
	return tx.Put(Networks, place, encodeNetworks(n))
}
