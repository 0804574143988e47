package export

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/trail"
)

const (
	slotSize  = 1024 // octets: one block of a disk is written as a whole
	syncEvery = time.Second
)

// cursor keeps a position in a file. A killed process leaves the last one; after a power
// failure, the file holds one that was not older than a second. There are two slots, of
// which the older is written. It is for one goroutine.
type cursor struct {
	f      *os.File
	seq    uint64
	dirty  bool
	synced time.Time
}

// slot is the content of a slot.
type slot struct {
	Seq uint64 `json:"seq"`
	trail.Position
}

// openCursor opens the cursor at path. If there is none yet, it is created, and fresh is
// true.
func openCursor(path string) (c *cursor, at trail.Position, fresh bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, at, false, err
	}
	c = &cursor{f: f}
	at, found := c.load()
	return c, at, !found, nil
}

// load reads the newest slot.
func (c *cursor) load() (at trail.Position, found bool) {
	buf := make([]byte, 2*slotSize)
	n, _ := c.f.ReadAt(buf, 0)
	for i := 0; i+slotSize <= n; i += slotSize {
		var sum uint32
		var s slot
		text, _, _ := strings.Cut(string(buf[i:i+slotSize]), "\n")
		head, body, ok := strings.Cut(text, " ")
		if _, err := fmt.Sscanf(head, "%08x", &sum); err != nil || !ok || crc32.ChecksumIEEE([]byte(body)) != sum || json.Unmarshal([]byte(body), &s) != nil {
			continue
		}
		if s.Seq >= c.seq {
			c.seq, at, found = s.Seq, s.Position, true
		}
	}
	return at, found
}

// store notes a position.
func (c *cursor) store(at trail.Position) error {
	c.seq++
	body, err := json.Marshal(slot{c.seq, at})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%08x %s\n", crc32.ChecksumIEEE(body), body)
	if len(text) > slotSize {
		return fmt.Errorf("name of a file is too long: %s", at.After)
	}
	text += strings.Repeat(" ", slotSize-len(text))
	if _, err := c.f.WriteAt([]byte(text), int64(c.seq%2)*slotSize); err != nil {
		return err
	}
	c.dirty = true
	if time.Since(c.synced) >= syncEvery {
		return c.sync()
	}
	return nil
}

// sync has the disk hold the position.
func (c *cursor) sync() error {
	if !c.dirty {
		return nil
	}
	c.dirty, c.synced = false, time.Now()
	return c.f.Sync()
}

func (c *cursor) close() {
	_ = c.sync() // nobody waits for it any more
	c.f.Close()
}
