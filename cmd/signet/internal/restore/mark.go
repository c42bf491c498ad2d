package restore

import (
	"errors"
	"fmt"
	"slices"

	"signet/cmd/signet/internal/install"
	"signet/keys"
	"signet/keys/mark"
)

// loadMark reads the mark of this server: the revoked kids, and the version of the keyring, which the restored one must
// exceed so that no server refuses it. A mark that cannot be verified, or of another install, is replaced at the end.
func (r *restoration) loadMark() error {
	cfg := r.keyringConfig(nil, r.backup.manifest.Install.ID)
	old, ok, err := mark.Read(install.MarkFile(r.cfg), cfg.InstallID, cfg.Master)
	var problem *mark.Error
	switch {
	case errors.As(err, &problem):
		r.markProblem = err
		return nil
	case err != nil:
		return fmt.Errorf("data_dir: %w; nothing was changed", err)
	case !ok:
		return nil
	}
	r.mark = &old
	knew, known := false, r.history.RevokedKeys()
	for _, kid := range old.Revoked {
		knew = knew || !slices.Contains(known, kid)
		r.history.NoteRevokedKey(kid)
	}
	if knew {
		r.report.Knew = append(r.report.Knew, string(install.MarkFile(r.cfg)))
	}
	return nil
}

// replaceMark writes the mark of the restored keyring.
func (r *restoration) replaceMark(ring *keys.Manager) {
	if r.markProblem != nil {
		r.app.Warn(fmt.Errorf("%s was not used, and is replaced: %w", string(install.MarkFile(r.cfg)), r.markProblem))
	}
	if r.mark != nil {
		ring.Edit().RestoreMark(*r.mark)
	}
	if err := ring.Edit().ReplaceMark(install.MarkFile(r.cfg)); err != nil {
		r.app.Warn(fmt.Errorf("data_dir: %w; remove %s before the server starts", err, string(install.MarkFile(r.cfg))))
	}
}
