package extractor

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/privilege"
	"github.com/clearspan/clearspan/appliance/recorder/extract"
)

const (
	// maxMemory is what a reader may add to the memory that it starts with, in octets.
	maxMemory = 512 << 20
	// softMemory is where it frees memory before it asks for more.
	softMemory = 384 << 20
	maxOpen    = 64 // descriptors
)

// read reads files until the recorder is gone.
func read(u privilege.User) error {
	if err := bound(); err != nil {
		return err
	}
	if _, err := privilege.Confine(privilege.Rights{User: u, Sealed: true}); err != nil {
		return err
	}
	r := &reader{buf: make([]byte, maxPacket)}
	for {
		q, f, err := receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r.file(q, f)
		f.Close()
		if r.failed != nil {
			return r.failed
		}
	}
}

// bound sets the limits of the process.
func bound() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	var now uint64 // of data, in KiB
	for line := range strings.Lines(string(status)) {
		if rest, is := strings.CutPrefix(line, "VmData:"); is {
			now, err = strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err != nil {
				return err
			}
		}
	}
	debug.SetMemoryLimit(softMemory)
	for _, l := range []struct {
		resource int
		most     uint64
	}{{unix.RLIMIT_DATA, now<<10 + maxMemory}, {unix.RLIMIT_FSIZE, 0}, {unix.RLIMIT_NOFILE, maxOpen}} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.most, Max: l.most}); err != nil {
			return fmt.Errorf("bound the extractor: %w", err)
		}
	}
	return nil
}

// receive waits for a request and its file.
func receive() (q request, f *os.File, err error) {
	var text []byte
	p, oob := make([]byte, maxPacket), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(dataFD, p, oob, unix.MSG_CMSG_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return q, nil, err
		case n == 0:
			return q, nil, io.EOF
		}
		if text = append(text, p[1:n]...); len(text) > maxRequest {
			return q, nil, errMalformed
		}
		if p[0] == kindPart {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(messages) != 1 {
			return q, nil, errMalformed
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			return q, nil, errMalformed
		}
		f = os.NewFile(uintptr(fds[0]), "file")
		return q, f, json.Unmarshal(text, &q)
	}
}

// reader tells the recorder what is in a file. It is an [extract.Handler].
type reader struct {
	buf    []byte
	number uint32 // of the request
	failed error
}

func (r *reader) file(q request, f *os.File) {
	r.number = q.Number
	done := appendHead(nil, kindDone, q.Number)
	if err := extract.File(context.Background(), f, q.Size, q.Hint, extract.Limits{}, r); err != nil {
		text := err.Error()
		done = append(done, text[:min(len(text), maxPlace)]...)
	}
	r.send(done)
}

// send sends a packet.
func (r *reader) send(p []byte) {
	for r.failed == nil {
		err := unix.Sendmsg(dataFD, p, nil, nil, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		r.failed = err
		return
	}
}

// tell sends what belongs to a file.
func (r *reader) tell(kind byte, a about) {
	a.Place, a.Text = a.Place[:min(len(a.Place), maxPlace)], a.Text[:min(len(a.Text), maxPlace/2)]
	p, err := json.Marshal(a)
	if err != nil || len(p) > maxPacket-head {
		a.Place, a.Text = "", ""
		p, _ = json.Marshal(a)
	}
	r.send(append(appendHead(nil, kind, r.number), p...))
}

// Text implements [extract.Handler].
func (r *reader) Text(place string, text []byte) {
	place = place[:min(len(place), maxPlace)]
	for {
		kind, n := byte(kindText), min(len(text), maxPacket-head-2-len(place))
		if n < len(text) {
			kind = kindPiece
		}
		r.send(append(appendPlace(appendHead(r.buf[:0], kind, r.number), place), text[:n]...))
		if text = text[n:]; kind == kindText {
			return
		}
	}
}

// Note implements [extract.Handler].
func (r *reader) Note(place string, n extract.Note, text string) {
	r.tell(kindNote, about{Place: place, Note: string(n), Text: text})
}

// Label implements [extract.Handler].
func (r *reader) Label(place, label string) { r.tell(kindLabel, about{Place: place, Text: label}) }

// Member implements [extract.Handler].
func (r *reader) Member(place string) io.WriteCloser {
	return &member{r: r, place: place, sum: sha256.New()}
}

// member hashes a file of an archive.
type member struct {
	r     *reader
	place string
	sum   hash.Hash
	size  uint64
}

func (m *member) Write(p []byte) (int, error) {
	m.size += uint64(len(p))
	return m.sum.Write(p)
}

func (m *member) Close() error {
	m.r.tell(kindMember, about{Place: m.place, Hash: m.sum.Sum(nil), Size: m.size})
	return nil
}
