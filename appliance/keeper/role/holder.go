package role

import (
	"fmt"
	"net"
	"os"
	"sync"
)

// FileConfiguration is the name of the descriptor with the configuration.
const FileConfiguration = "configuration"

// Holder has the descriptors that a role was given, by name, such as "intake/proxy". A
// nil Holder has none: the role opens all by itself. It is safe for concurrent use.
type Holder struct {
	mu    sync.Mutex
	files map[string][]*os.File
	users []int
}

// Users returns as whom the other processes of the keeper run, by their numbers.
func (h *Holder) Users() []int {
	if h == nil {
		return nil
	}
	return h.users
}

// newHolder takes files, whose names are in order.
func newHolder(names []Descriptors, files []*os.File) *Holder {
	h := &Holder{files: make(map[string][]*os.File)}
	for _, d := range names {
		h.files[d.Name] = append(h.files[d.Name], files[:d.Count]...)
		files = files[d.Count:]
	}
	return h
}

// Take returns the descriptors of a name, in the order in which the keeper has them,
// nil if there are none. They belong to the caller, and are not there a second time.
func (h *Holder) Take(name string) []*os.File {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	files := h.files[name]
	delete(h.files, name)
	return files
}

// Listeners returns the listeners of a name, nil if there are none. They belong to the
// caller. Closing one does not close what the keeper holds.
func (h *Holder) Listeners(name string) ([]net.Listener, error) {
	files := h.Take(name)
	defer closeFiles(files)
	var list []net.Listener
	for _, f := range files {
		l, err := net.FileListener(f)
		if err != nil {
			for _, l := range list {
				l.Close()
			}
			return nil, fmt.Errorf("take listener %s: %w", name, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// Listener returns the one listener of a name, nil if there is none.
func (h *Holder) Listener(name string) (net.Listener, error) {
	list, err := h.Listeners(name)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	for _, l := range list[1:] {
		l.Close()
	}
	return list[0], nil
}

// Close closes what nobody took.
func (h *Holder) Close() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, files := range h.files {
		closeFiles(files)
	}
	h.files = nil
}
