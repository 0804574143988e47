package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// client is one session through a contender.
type client struct {
	conn   *tls.Conn
	reader *bufio.Reader
	host   string
}

// patience bounds everything that a client waits for.
const patience = 2 * time.Minute

// dial opens a session to host, whatever certificate there is: whom a client
// trusts is no part of the cost. tickets may be nil.
// The client offers what crypto/tls does, X25519MLKEM768 first.
func (c *contender) dial(ctx context.Context, host string, tickets tls.ClientSessionCache) (*client, error) {
	return c.begin(ctx, &tls.Config{ServerName: host, ClientSessionCache: tickets})
}

// dialX25519 is dial for a client without ML-KEM and without a ticket.
func (c *contender) dialX25519(ctx context.Context, host string) (*client, error) {
	return c.begin(ctx, &tls.Config{ServerName: host, CurvePreferences: []tls.CurveID{tls.X25519}})
}

// begin takes cfg.
func (c *contender) begin(ctx context.Context, cfg *tls.Config) (*client, error) {
	conn, err := c.clients.DialContext(ctx, "tcp", net.JoinHostPort(c.address, strconv.Itoa(c.port)))
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	if c.target != "" {
		if err := connect(conn, c.target); err != nil {
			conn.Close()
			return nil, err
		}
	}
	cfg.InsecureSkipVerify, cfg.NextProtos, cfg.DynamicRecordSizingDisabled = true, []string{"http/1.1"}, true
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return &client{secure, bufio.NewReader(secure), cfg.ServerName}, nil
}

// dialMany opens n sessions, eight at a time, and has each make a request. It
// returns those that were opened also with an error.
func (c *contender) dialMany(ctx context.Context, n int) (open []*client, err error) {
	var mu sync.Mutex
	next := 0
	err = together(8, func(int) error {
		for {
			mu.Lock()
			done := next >= n
			next++
			mu.Unlock()
			if done {
				return nil
			}
			k, err := c.dial(ctx, name, nil)
			if err != nil {
				return err
			}
			mu.Lock()
			open = append(open, k)
			mu.Unlock()
			if err := k.get("1024", 1024); err != nil {
				return err
			}
		}
	})
	return open, err
}

func closeAll(open []*client) {
	for _, k := range open {
		k.close()
	}
}

// connect asks a proxy for a connection to target.
func connect(conn net.Conn, target string) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", target); err != nil {
		return err
	}
	// Octet by octet: what follows the answer is not ours.
	var answer []byte
	for one := make([]byte, 1); len(answer) < 4 || string(answer[len(answer)-4:]) != "\r\n\r\n"; answer = append(answer, one[0]) {
		if _, err := io.ReadFull(conn, one); err != nil || len(answer) > 8<<10 {
			return fmt.Errorf("read answer of proxy: %w", err)
		}
	}
	if len(answer) < 12 || string(answer[9:12]) != "200" {
		return fmt.Errorf("proxy answers %.60q", answer)
	}
	return nil
}

// get fetches the first octets of an object, and checks that as many came.
func (k *client) get(object string, octets int64) error {
	// A range where the object is not wanted whole: the large one has more octets
	// than a slow contender can be asked for.
	if _, err := fmt.Fprintf(k.conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nRange: bytes=0-%d\r\n\r\n", object, k.host, octets-1); err != nil {
		return err
	}
	answer, err := http.ReadResponse(k.reader, nil)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil || n != octets || answer.StatusCode != http.StatusPartialContent && answer.StatusCode != http.StatusOK {
		return fmt.Errorf("download: %s, %d octets of %d: %w", answer.Status, n, octets, err)
	}
	return nil
}

func (k *client) close() { k.conn.Close() }
