package rowstest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Playable reports whether the row can be played: nothing of it is lost, and its clients open
// every connection and end it without a reset.
func (r *Row) Playable() bool {
	for i := range r.Talks {
		if !r.Talks[i].playable() {
			return false
		}
	}
	return true
}

// Alone reports whether the row's connections are made one after the other, and no
// connection announces another one.
func (r *Row) Alone() bool {
	for _, t := range r.Talks {
		for _, s := range t.Steps {
			if s.Then != nil {
				return false
			}
		}
	}
	return true
}

func (t *Talk) playable() bool {
	if t.Active || t.Reset {
		return false
	}
	for _, s := range t.Steps {
		if s.Lose > 0 || s.Then != nil && !s.Then.playable() {
			return false
		}
	}
	return true
}

// patience bounds each step of a row that is played.
const patience = time.Minute

// Play has a client and a server say what they say in the row. connect makes each of its
// connections to a port of the server, and returns both ends, which Play closes. Each end
// speaks when it has heard what comes before.
func (r *Row) Play(connect func(port uint16) (client, server net.Conn, err error)) error {
	for i := range r.Talks {
		if err := r.Talks[i].play(connect); err != nil {
			return fmt.Errorf("row %q: %w", r.Name, err)
		}
	}
	return nil
}

func (t *Talk) play(connect func(uint16) (client, server net.Conn, err error)) (err error) {
	port := t.Server
	if port == 0 {
		port = 80
	}
	client, server, err := connect(port)
	if err != nil {
		return err
	}
	ends := [2]net.Conn{client, server}
	defer func() { err = errors.Join(err, bye(ends, t)) }()
	for n, s := range t.Steps {
		if s.Then != nil {
			if err := s.Then.play(connect); err != nil {
				return err
			}
		}
		from := 0
		if s.From == down {
			from = 1
		}
		if err := hand(ends[from], ends[1-from], s.Octets); err != nil {
			return fmt.Errorf("step %d: %w", n, err)
		}
	}
	return nil
}

// hand has one end send octets, and the other one receive them.
func hand(from, to net.Conn, octets []byte) error {
	end := time.Now().Add(patience)
	if err := errors.Join(from.SetDeadline(end), to.SetDeadline(end)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := from.Write(octets)
		sent <- err
	}()
	got := make([]byte, len(octets))
	_, err := io.ReadFull(to, got)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	if !bytes.Equal(got, octets) {
		return errors.New("other octets arrive than were sent")
	}
	return nil
}

// bye has the end that spoke last close first, and the other one when it has seen that.
func bye(ends [2]net.Conn, t *Talk) error {
	last := 0
	if n := len(t.Steps); n > 0 && t.Steps[n-1].From == down {
		last = 1
	}
	err := ends[last].Close()
	other := ends[1-last]
	_ = other.SetDeadline(time.Now().Add(patience))
	n, _ := io.Copy(io.Discard, other)
	if n > 0 {
		err = errors.Join(err, fmt.Errorf("%d octets too many arrive", n))
	}
	return errors.Join(err, other.Close())
}
