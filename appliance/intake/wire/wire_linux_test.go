package wire_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/intake/wire"
	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/hack/lab"
)

// echo answers with what it gets until the client closes, then closes.
func (b *bench) echo(network, address string) {
	b.t.Helper()
	l, err := b.Origin.Listen(network, address)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	b.t.Cleanup(func() {
		l.Close()
		cancel()
		all.Wait()
	})
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				io.Copy(conn, conn)
			})
		}
	})
}

// exchange sends octets to an echo and compares what comes back.
func (b *bench) exchange(network, address string, octets []byte) error {
	limit := time.Minute + time.Duration(len(octets))*5*time.Microsecond // for bad lines
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := b.Client.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	sent := make(chan error, 1)
	go func() {
		_, err := conn.Write(octets)
		conn.(*net.TCPConn).CloseWrite()
		sent <- err
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		return fmt.Errorf("after %d octets: %w", len(got), err)
	}
	if !bytes.Equal(got, octets) {
		return fmt.Errorf("%d octets came back, hash %x, of %d sent", len(got), sha256.Sum256(got), len(octets))
	}
	return <-sent
}

func prefixes(all ...string) (list []netip.Prefix) {
	for _, s := range all {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestExchange(t *testing.T) {
	t.Parallel()
	for _, takeover := range []wire.Takeover{wire.Accept, wire.Late} {
		t.Run(string(takeover), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.echo("tcp", ":443")
			p := b.start(settings{Takeover: takeover, Ports: []policy.PortRange{{First: 443, Last: 443}}})
			b.await(true)
			for _, address := range []string{lab.OriginV4, lab.OriginV6} {
				for _, n := range []int{1, 1000, 4 << 20} {
					if err := b.exchange("tcp", net.JoinHostPort(address, "443"), random(n)); err != nil {
						t.Errorf("%s, %d octets: %v", address, n, err)
					}
				}
			}
			p.expect(6)
			p.stop()
			if t.Failed() {
				t.Logf("%+v\n%s", b.status(), p.stderr)
			}
		})
	}
}
