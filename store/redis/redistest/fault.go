package redistest

import (
	"errors"
	"os"
	"path/filepath"
)

// Kill ends the process as kill -9 does, and returns when it is gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.kill()
	s.frozen = false
}

// Stop asks the process to end, and returns when it is gone. A master first waits for replicas that
// lag, for up to ten seconds.
func (s *Server) Stop() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen {
		s.t.Fatalf("Stop of %s: it is frozen and cannot receive a signal", s.Addr())
	}
	if !s.process.terminate(patience) {
		s.t.Fatalf("%s did not stop within %v", s.Addr(), patience)
	}
}

// Restart starts the process again, on the same port and with the same data, and returns when it
// answers. If it still runs it is stopped first. What a sentinel has written into the server's
// configuration since is kept, as it would be.
func (s *Server) Restart() {
	s.t.Helper()
	if s.Running() {
		s.Stop()
	}
	// Another process may hold the port for a moment, to see whether it is free.
	Wait(s.t, "the port of "+s.Addr(), func() error {
		err := s.run()
		if err != nil && !s.taken() {
			s.t.Fatalf("restarting %s: %v", s.Addr(), err)
		}
		return err
	})
}

// Wipe deletes the data of a server that is down. Its configuration, and in a cluster its identity
// and slots, stay.
func (s *Server) Wipe() {
	s.t.Helper()
	if s.Running() {
		s.t.Fatalf("Wipe of %s: it is running", s.Addr())
	}
	for _, name := range []string{"dump.rdb", "appendonlydir"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Freeze stops the process where it is, as a virtual machine that is paused: its connections stay
// open and nothing answers.
func (s *Server) Freeze() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.freeze(); err != nil {
		s.t.Fatalf("freezing %s: %v", s.Addr(), err)
	}
	s.frozen = true
	Wait(s.t, "the process to freeze", func() error {
		if !isStopped(s.process.pid()) {
			return errors.New("it still runs")
		}
		return nil
	})
}

// Thaw lets a frozen process go on.
func (s *Server) Thaw() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.process.thaw(); err != nil {
		s.t.Fatalf("thawing %s: %v", s.Addr(), err)
	}
	s.frozen = false
}

// Running reports whether there is a process, be it frozen or not.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && !s.process.ended()
}

// responsive reports whether the process could answer.
func (s *Server) responsive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && !s.process.ended() && !s.frozen
}
