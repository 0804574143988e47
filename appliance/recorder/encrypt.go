package recorder

import (
	"fmt"
	"path/filepath"

	"filippo.io/age"

	"github.com/clearspan/clearspan/appliance/recorder/agefile"
	"github.com/clearspan/clearspan/appliance/recorder/volume"
)

// Encryption says who can read what is kept. The zero value stands for anybody who can read
// the files.
type Encryption struct {
	To   []string // recipients of age: age1...
	What []string // of [Encrypted]; none: all of them
}

// Encrypted is what can be encrypted. The trail is not: it is what can be searched.
var Encrypted = []string{"packets", "contents"}

// Check returns an error if it cannot be done.
func (e Encryption) Check() error {
	_, _, err := e.recipients()
	return err
}

// recipients returns those of packets and of contents; nil: these are not encrypted.
func (e Encryption) recipients() (packets, contents []age.Recipient, err error) {
	if len(e.To) == 0 {
		return nil, nil, nil
	}
	to, err := agefile.Recipients(e.To)
	if err != nil {
		return nil, nil, err
	}
	what := e.What
	if len(what) == 0 {
		what = Encrypted
	}
	for _, w := range what {
		switch w {
		case "packets":
			packets = to
		case "contents":
			contents = to
		default:
			return nil, nil, fmt.Errorf("encrypt %q: want packets or contents", w)
		}
	}
	return packets, contents, nil
}

// locked notes a volume that cannot be read, because the process that had its key has ended.
// What lies in front of read was analysed then.
func (w *analysis) locked(why error, read volume.Mark) error {
	number := w.packets.Number() - 1
	if number < read.Number() {
		return nil
	}
	w.mu.Lock()
	w.status.Unread++
	w.mu.Unlock()
	w.cfg.Log.Warn("packets are not analysed, their key was lost with the process before", "err", why)
	return volume.Unread(filepath.Join(w.cfg.Directory, volumeDir), number)
}
