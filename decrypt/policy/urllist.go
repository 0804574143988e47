package policy

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strings"
)

// maxURLs is the number of URLs of one list.
const maxURLs = 10_000_000

// maxURL is the longest path of a URL in a list, in octets.
const maxURL = 2048

// urlTable is a set of hosts, each with the beginning of a path. It keeps a keyed hash of 64
// bits for each, so that the length of a URL takes no memory. Look-ups do not allocate.
type urlTable struct {
	slots []uint64 // 0 is free; a power of two, at most 3/4 in use
	count int
	seed  maphash.Seed
}

// find returns the slot of h, or the one where it would stand.
func (t *urlTable) find(h uint64) (slot int, ok bool) {
	mask := len(t.slots) - 1
	for slot = int(h) & mask; t.slots[slot] != 0; slot = (slot + 1) & mask {
		if t.slots[slot] == h {
			return slot, true
		}
	}
	return slot, false
}

// add puts h into the table.
func (t *urlTable) add(h uint64) {
	if (t.count+1)*4 > len(t.slots)*3 {
		old := t.slots
		t.slots = make([]uint64, max(16, 2*len(old)))
		for _, h := range old {
			if h != 0 {
				slot, _ := t.find(h)
				t.slots[slot] = h
			}
		}
	}
	if slot, ok := t.find(h); !ok {
		t.slots[slot] = h
		t.count++
	}
}

// sum returns what stands for the octets written to h, never 0.
func sum(h *maphash.Hash) uint64 { return max(h.Sum64(), 1) }

// anyPath stands behind a host that has URLs in the table. No name holds it.
const anyPath = 0xff

// has reports whether a URL of the table is that of a request to host, or above it. With a
// path in doubt, any URL of the host is.
func (t *urlTable) has(host *hostName, path []byte, doubt bool) bool {
	if t.count == 0 || host.length == 0 {
		return false
	}
	var h maphash.Hash
	h.SetSeed(t.seed)
	h.Write(host.bytes())
	if doubt {
		h.WriteByte(anyPath)
		_, ok := t.find(sum(&h))
		return ok
	}
	from := 0
	for {
		if _, ok := t.find(sum(&h)); ok {
			return true
		}
		if from >= len(path) || from > maxURL {
			return false
		}
		end := bytes.IndexByte(path[from+1:], '/')
		if end < 0 {
			end = len(path) - from - 1
		}
		end += from + 1
		h.Write(path[from:end])
		from = end
	}
}

// ReadURLList reads a list of one URL a line, of the kind that feeds against phishing have:
// a host and the beginning of a path, with or without http:// or https://. Ports and queries
// are passed over. A URL stands for itself and for what is below it, by whole segments; a
// host without a path for all that it has. Comments and faults are those of [ReadList].
func ReadURLList(name, file string, r io.Reader) (*List, error) {
	l := &List{name: name, urls: &urlTable{seed: maphash.MakeSeed(), slots: make([]uint64, 16)}}
	var n hostName
	var path []byte
	if err := readEntries(name, file, r, func(entry string) (err error) {
		path, err = l.addURL(&n, path[:0], entry)
		return err
	}); err != nil {
		return nil, err
	}
	return l, nil
}

var errURLs = errors.New("too many URLs")

// addURL adds an entry. It returns the memory of path.
func (l *List) addURL(n *hostName, path []byte, entry string) ([]byte, error) {
	rest := entry
	if scheme, after, ok := strings.Cut(rest, "://"); ok {
		if s := strings.ToLower(scheme); s != "http" && s != "https" {
			return path, fmt.Errorf("%q: only http:// and https:// stand before a host", entry)
		}
		rest = after
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	host := rest[:end]
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && strings.Trim(host[i+1:], "0123456789") == "" {
		if strings.Count(host, ":") == 1 || host[0] == '[' {
			host = host[:i]
		}
	}
	if !n.set(host) {
		return path, fmt.Errorf("%q does not begin with a name or address", entry)
	}
	target := rest[end:]
	if len(target) > 0 && target[0] != '/' {
		target = ""
	}
	path, _ = canonicalPath(path, []byte(target))
	path = bytes.TrimSuffix(path, []byte("/"))
	switch {
	case len(path) > maxURL:
		return path, fmt.Errorf("path is longer than %d octets", maxURL)
	case l.count >= maxURLs:
		return path, errURLs
	}
	var h maphash.Hash
	h.SetSeed(l.urls.seed)
	h.Write(n.bytes())
	below := h
	below.WriteByte(anyPath)
	l.urls.add(sum(&below))
	h.Write(path)
	l.urls.add(sum(&h))
	l.count++
	return path, nil
}

// URLs reports whether the list is one of URLs.
func (l *List) URLs() bool { return l.urls != nil }

// HasURL reports whether a URL of the list stands for a path of host, which is spelled as in
// a request target.
func (l *List) HasURL(host, path string) bool {
	var n hostName
	var r Request
	r.SetTarget([]byte(path))
	return l.urls != nil && n.set(host) && l.urls.has(&n, r.path, r.Doubt)
}
