// A place in a journal, and where it is kept between two lives of a reader.

package tieline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// Position is a place in one incarnation of a journal. It means nothing in another epoch.
type Position struct {
	Epoch    string
	Sequence uint64
}

// String is the text form, "epoch/sequence".
func (p Position) String() string {
	return p.Epoch + "/" + strconv.FormatUint(p.Sequence, 10)
}

// ParsePosition reads the text form.
func ParsePosition(text string) (Position, error) {
	epoch, number, found := strings.Cut(text, "/")
	sequence, err := strconv.ParseUint(number, 10, 64)
	if !found || epoch == "" || err != nil {
		return Position{}, fmt.Errorf("tieline: %q is no position; it is written epoch/sequence", text)
	}
	return Position{Epoch: epoch, Sequence: sequence}, nil
}

// Store keeps a position. One store belongs to one reader.
type Store interface {
	// Load returns nil where nothing was stored yet.
	Load(ctx context.Context) (*Position, error)
	// Save replaces what was stored: afterwards Load returns the one or the other, whole.
	Save(ctx context.Context, position Position) error
}

// FileStore keeps the position in the file of this path, as text. It is replaced by an atomic rename.
type FileStore string

// Load implements Store.
func (f FileStore) Load(context.Context) (*Position, error) {
	text, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("tieline: load the position: %w", err)
	}
	position, err := ParsePosition(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("position file %s: %w; remove it to start again", f, err)
	}
	return &position, nil
}

// Save implements Store.
func (f FileStore) Save(_ context.Context, position Position) error {
	// The same name each time: what a crash leaves behind is overwritten by the next save.
	next := string(f) + ".next"
	if err := write(next, position.String()+"\n"); err != nil {
		return fmt.Errorf("tieline: save the position: %w", err)
	}
	if err := os.Rename(next, string(f)); err != nil {
		return fmt.Errorf("tieline: save the position: %w", err)
	}
	return nil
}

// write syncs before it returns: renamed without that, a power cut could leave an empty file. Should
// the rename itself be lost, the position before it is there, and its events come again.
func write(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}
