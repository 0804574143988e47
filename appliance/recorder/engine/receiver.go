package engine

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Receiver takes the records of senders.
type Receiver struct {
	// Take takes a record. It borrows p until it returns.
	Take func(p []byte, at time.Time, comment string)
	// Flush has everything stored that was taken before.
	Flush func()
}

const (
	storeEvery  = 100 * time.Millisecond
	storeOctets = 1 << 20
	maxFrame    = frameHead - 4 + maxComment + headSize + 9 + MaxOctets
	helloFor    = 5 * time.Second
)

// Serve reads one connection to its end. The error is nil if the sender has ended it in order.
func (r *Receiver) Serve(conn *net.UnixConn) error {
	conn.SetReadDeadline(time.Now().Add(helloFor))
	hello, rights := make([]byte, len(magic)+16), make([]byte, unix.CmsgSpace(4))
	n, nrights, _, _, err := conn.ReadMsgUnix(hello, rights)
	if errors.Is(err, net.ErrClosed) {
		return nil // the receiver ends
	}
	if err != nil {
		return err
	}
	fd, err := descriptor(rights[:nrights])
	if err != nil {
		return err
	}
	if n != len(hello) || string(hello[:len(magic)]) != magic {
		unix.Close(fd)
		return errRecord
	}
	ring, err := mapRing(fd)
	if err != nil {
		return err
	}
	conn.SetReadDeadline(time.Time{})
	sender, base := le.Uint64(hello[len(magic):]), le.Uint64(hello[len(magic)+8:])
	c := &connection{Receiver: r, conn: conn, ring: ring, taken: base, stored: base}
	err = errors.Join(c.read(), ring.close())
	if errors.Is(err, net.ErrClosed) {
		return nil // the receiver ends: the sender goes on with the next one
	}
	gone := Record{Kind: Gone, Sender: sender}
	r.Take(gone.Append(nil), time.Now(), "")
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// descriptor returns the one descriptor in a control message.
func descriptor(p []byte) (int, error) {
	list, err := unix.ParseSocketControlMessage(p)
	if err != nil || len(list) != 1 {
		return 0, errRecord
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil || len(fds) != 1 {
		for _, fd := range fds {
			unix.Close(fd)
		}
		return 0, errRecord
	}
	unix.CloseOnExec(fds[0])
	return fds[0], nil
}

type connection struct {
	*Receiver
	conn *net.UnixConn
	ring *ring

	mu     sync.Mutex
	taken  uint64 // place behind the last record that was taken
	stored uint64
}

// read reads records, and says which are stored.
func (c *connection) read() error {
	if err := c.receipt(); err != nil { // which tells the sender that somebody is there
		return err
	}
	stop := make(chan struct{})
	var receipts sync.WaitGroup
	receipts.Go(func() {
		tick := time.NewTicker(storeEvery)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if c.store(0) != nil {
					return // the connection ends
				}
			}
		}
	})
	defer receipts.Wait()
	defer close(stop)
	scratch := make([]byte, 4+maxFrame)
	news := make([]byte, 4<<10)
	for left := 0; ; {
		n, err := c.conn.Read(news[left:])
		if err != nil {
			return err
		}
		n += left
		left = n % 8
		if n < 8 {
			continue
		}
		written := le.Uint64(news[n-left-8:])
		copy(news, news[n-left:n])
		if written < c.taken || written-c.taken > uint64(len(c.ring.octets)) {
			return fmt.Errorf("%w: %d octets are said to be there", errRecord, written-c.taken)
		}
		if err := c.take(written, scratch); err != nil {
			return err
		}
	}
}

// take takes the records up to a place. The sender may change them meanwhile, if it is hostile:
// lengths are read once, and whoever reads a volume takes nothing of it for granted.
func (c *connection) take(to uint64, scratch []byte) error {
	for at := c.taken; at < to; {
		var head [frameHead]byte
		if to-at < frameHead+uint64(headSize) {
			return errRecord
		}
		copy(head[:], c.ring.get(at, frameHead, scratch))
		size, comment := uint64(le.Uint32(head[:])), int(le.Uint16(head[12:]))
		if size < frameHead-4+uint64(headSize) || size > uint64(maxFrame) || 4+size > to-at || comment > int(size)-frameHead+4-headSize {
			return fmt.Errorf("%w: it has %d octets", errRecord, size)
		}
		p := c.ring.get(at, int(4+size), scratch)[frameHead:]
		if _, err := Parse(p[comment:]); err != nil {
			return err
		}
		c.Take(p[comment:], time.Unix(0, int64(le.Uint64(head[4:]))), string(p[:comment]))
		at += 4 + size
		c.mu.Lock()
		c.taken = at
		c.mu.Unlock()
		if err := c.store(storeOctets); err != nil {
			return err
		}
	}
	return nil
}

// store has what was taken stored, if that is more than some octets, and says so.
func (c *connection) store(least uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken-c.stored <= least {
		return nil
	}
	c.Flush()
	c.stored = c.taken
	return c.write()
}

// receipt says what is stored.
func (c *connection) receipt() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write()
}

func (c *connection) write() error {
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.conn.Write(le.AppendUint64(nil, c.stored))
	return err
}
