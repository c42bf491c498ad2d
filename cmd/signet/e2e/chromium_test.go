package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chromium is a headless browser, told what to do in the DevTools protocol over two pipes. One call
// is under way at a time; events are not listened to.
type chromium struct {
	cmd    *exec.Cmd
	stderr *lockedBuffer
	in     *os.File
	out    *os.File
	lines  *bufio.Reader
	calls  int
}

// tab is one page of it.
type tab struct {
	*chromium
	t       testing.TB
	session string
}

// chromiumFlags: its sandbox does not work as root, and all pages are the tests' own. It finds nothing
// but this machine.
var chromiumFlags = []string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--no-first-run",
	"--disable-background-networking", "--disable-component-update", "--disable-breakpad", "--no-proxy-server", "--window-size=1200,1000",
	"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost", "--remote-debugging-pipe", "about:blank"}

func startChromium(t testing.TB) *chromium {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		needs(t, "chromium", "apt-get install chromium")
	}
	theirIn, in := pipe(t)
	out, theirOut := pipe(t)
	b := &chromium{in: in, out: out, lines: bufio.NewReaderSize(out, 1<<20), stderr: &lockedBuffer{}}
	b.cmd = exec.Command(path, append(chromiumFlags, "--user-data-dir="+t.TempDir())...)
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // 3 and 4, as the protocol wants them
	b.cmd.Stderr = b.stderr
	b.cmd.WaitDelay = 10 * time.Second // a process of its own may hold stderr for longer
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirIn.Close()
	theirOut.Close()
	t.Cleanup(b.close)
	return b
}

// pipe is one that a test's end closes.
func pipe(t testing.TB) (read, write *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close(); write.Close() })
	return read, write
}

// close lets it put its files away; their folder is removed next.
func (b *chromium) close() {
	late := time.AfterFunc(20*time.Second, func() { _ = b.cmd.Process.Kill() })
	defer late.Stop()
	if _, err := b.send("", "Browser.close", nil); err != nil {
		_ = b.cmd.Process.Kill()
	}
	_ = b.cmd.Wait()
}

// send makes one call and waits for its result. Messages end with a NUL.
func (b *chromium) send(session, method string, params any) (json.RawMessage, error) {
	b.calls++
	message, err := json.Marshal(struct {
		ID      int    `json:"id"`
		Session string `json:"sessionId,omitempty"`
		Method  string `json:"method"`
		Params  any    `json:"params,omitempty"`
	}{b.calls, session, method, params})
	if err != nil {
		return nil, err
	}
	_ = b.out.SetReadDeadline(time.Now().Add(time.Minute)) // a pipe takes deadlines
	if _, err := b.in.Write(append(message, 0)); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	for {
		line, err := b.lines.ReadBytes(0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		var answer struct {
			ID     int             `json:"id"`
			Result json.RawMessage `json:"result"`
			Error  *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(line[:len(line)-1], &answer); err != nil {
			return nil, fmt.Errorf("%s: %w", method, err)
		}
		switch {
		case answer.ID != b.calls: // an event
		case answer.Error != nil:
			return nil, fmt.Errorf("%s: %s", method, answer.Error.Message)
		default:
			return answer.Result, nil
		}
	}
}

// call is a send that must succeed.
func (p *tab) call(method string, params any, into any) {
	p.t.Helper()
	result, err := p.send(p.session, method, params)
	if err == nil && into != nil {
		err = json.Unmarshal(result, into)
	}
	if err != nil {
		p.t.Fatalf("chromium: %v\n%s", err, p.stderr)
	}
}

// open opens the address in a new tab and waits until the page has loaded.
func (b *chromium) open(t testing.TB, address string) *tab {
	t.Helper()
	return b.openIn(t, "", address)
}

// newProfile makes a browser profile with cookies of its own, for openIn.
func (b *chromium) newProfile(t testing.TB) (profile string) {
	t.Helper()
	var made struct{ BrowserContextID string }
	(&tab{chromium: b, t: t}).call("Target.createBrowserContext", nil, &made)
	return made.BrowserContextID
}

// openIn is open in a profile; "" is that of open.
func (b *chromium) openIn(t testing.TB, profile, address string) *tab {
	t.Helper()
	p := &tab{chromium: b, t: t}
	var target struct{ TargetID, SessionID string }
	where := map[string]any{"url": "about:blank"}
	if profile != "" {
		where["browserContextId"] = profile
	}
	p.call("Target.createTarget", where, &target)
	p.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &target)
	p.session = target.SessionID
	var navigated struct{ ErrorText string }
	p.call("Page.navigate", map[string]any{"url": address}, &navigated)
	if navigated.ErrorText != "" {
		t.Fatalf("chromium: %s: %s", address, navigated.ErrorText)
	}
	t.Cleanup(p.keepPicture)
	p.eval(`new Promise(done => document.readyState === "complete" ? done() : addEventListener("load", () => done()))`, nil)
	return p
}

// eval runs a script in the page, waits for it if it is a promise, and reads what comes of it.
func (p *tab) eval(script string, into any) {
	p.t.Helper()
	if err := p.try(script, into); err != nil {
		p.t.Fatalf("chromium: %v\n%s", err, script)
	}
}

func (p *tab) try(script string, into any) error {
	var done struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	result, err := p.send(p.session, "Runtime.evaluate", map[string]any{"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(result, &done); err != nil {
		return err
	}
	if e := done.ExceptionDetails; e != nil {
		return errors.New(e.Text + " " + e.Exception.Description)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(done.Result.Value, into)
}

// await waits until the script's value is true.
func (p *tab) await(what, script string) {
	p.t.Helper()
	waitFor(p.t, what, func() bool {
		var yes bool
		if err := p.try("Boolean("+script+")", &yes); err != nil && !strings.Contains(err.Error(), "navigated or closed") { // on the way to the next page
			p.t.Fatalf("chromium: %v\n%s", err, script)
		}
		return yes
	})
}

// click clicks on the first element of the selector, once it is there.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.await(selector, fmt.Sprintf("document.querySelector(%q)", selector))
	p.eval(fmt.Sprintf("document.querySelector(%q).click()", selector), nil)
}

// fill types into a field as a keyboard would.
func (p *tab) fill(selector, text string) {
	p.t.Helper()
	p.await(selector, fmt.Sprintf("document.querySelector(%q)", selector))
	p.eval(fmt.Sprintf("document.querySelector(%q).select()", selector), nil)
	p.call("Input.insertText", map[string]any{"text": text}, nil)
}

// keepPicture shows people what a user would have seen at the end, where TEST_PICTURES names a folder.
func (p *tab) keepPicture() {
	dir := os.Getenv("TEST_PICTURES")
	if dir == "" {
		return
	}
	p.call("Page.bringToFront", nil, nil)
	var shot struct{ Data []byte } // base64, as JSON has it
	p.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	name := fmt.Sprintf("%s-%d.png", strings.ReplaceAll(p.t.Name(), "/", "-"), p.calls)
	if err := os.WriteFile(filepath.Join(dir, name), shot.Data, 0o600); err != nil {
		p.t.Error(err)
	}
}

// text is what stands in the first element of the selector.
func (p *tab) text(selector string) (text string) {
	p.t.Helper()
	p.eval(fmt.Sprintf("document.querySelector(%q).innerText", selector), &text)
	return text
}
