package control

import (
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
)

// Connections that are open at once. The last ones are kept for those who may change
// something, so that readers cannot lock them out.
const (
	maxConnections = 160
	maxReaders     = 128
)

// listener accepts connections of peers that are known. Others over the bounds are
// closed at once.
type listener struct {
	net.Listener
	owners []int
	group  int
	log    *slog.Logger

	open, readers atomic.Int64
}

func newListener(l net.Listener, log *slog.Logger) *listener {
	return &listener{Listener: l, owners: []int{os.Geteuid()}, group: groupID(), log: log}
}

// conn is a connection of a peer.
type conn struct {
	net.Conn
	peer  Peer
	close sync.Once
	ended func()
}

// Close closes the connection and gives its place back.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.close.Do(c.ended)
	return err
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, err := l.judge(c)
		if err != nil {
			l.log.Debug("control connection refused", "err", err)
			c.Close()
			continue
		}
		if ended, ok := l.take(peer); ok {
			return &conn{Conn: c, peer: peer, ended: ended}, nil
		}
		l.log.Debug("control connection refused: too many are open", "user", peer.User)
		c.Close()
	}
}

// judge finds out who connects. The process may have become another user.
func (l *listener) judge(c net.Conn) (Peer, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return Peer{}, nil // a peer that nothing is known of may do nothing
	}
	return peerOf(u, append([]int{os.Geteuid()}, l.owners...), l.group)
}

// take counts one more connection, if there may be one. ended takes it back.
func (l *listener) take(p Peer) (ended func(), ok bool) {
	if p.Access < Full && l.readers.Add(1) > maxReaders {
		l.readers.Add(-1)
		return nil, false
	}
	ended = func() {
		l.open.Add(-1)
		if p.Access < Full {
			l.readers.Add(-1)
		}
	}
	if l.open.Add(1) > maxConnections {
		ended()
		return nil, false
	}
	return ended, true
}
