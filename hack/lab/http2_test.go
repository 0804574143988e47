package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
)

func TestJoinSegments(t *testing.T) {
	up := func(seq, payload string) []string {
		return []string{"", "2001:db8::1", "999", "192.0.2.1", "", "80", seq, payload}
	}
	down := func(seq, payload string) []string {
		return []string{"192.0.2.1", "", "80", "", "2001:db8::1", "999", seq, payload}
	}
	for _, tc := range []struct {
		name  string
		rows  [][]string
		want  []string // sender and octets
		fails bool
	}{
		{"none", nil, nil, false},
		{"both ways", [][]string{up("1", "61"), down("1", "62"), up("2", "6364")}, []string{"[2001:db8::1]:999 acd", "192.0.2.1:80 b"}, false},
		{"gap", [][]string{up("1", "61"), up("3", "62")}, nil, true},
		{"repeated", [][]string{up("1", "61"), up("1", "61")}, nil, true},
		{"short row", [][]string{{"1"}}, nil, true},
		{"not hexadecimal", [][]string{up("1", "6x")}, nil, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			halves, err := joinSegments(tc.rows)
			if (err != nil) != tc.fails {
				t.Fatalf("got %v", err)
			}
			var got []string
			for _, h := range halves {
				got = append(got, h.from+" "+string(h.octets))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBodiesOfInterleavedStreams(t *testing.T) {
	var wire bytes.Buffer
	wire.WriteString(http2.ClientPreface)
	framer := http2.NewFramer(&wire, nil)
	for _, err := range []error{
		framer.WriteSettings(),
		framer.WriteData(1, false, []byte("a")),
		framer.WriteDataPadded(3, false, []byte("b"), make([]byte, 5)),
		framer.WriteWindowUpdate(0, 10),
		framer.WriteData(1, true, []byte("c")),
		framer.WriteData(3, true, nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []HTTP2Body{{Stream: 1, Content: []byte("ac")}, {Stream: 3, Content: []byte("b")}}
	for _, tc := range []struct {
		name string
		tail string
	}{{"whole", ""}, {"cut in a header", "\x00\x00"}, {"cut in a frame", "\x00\x00\x05\x00\x00\x00\x00\x00\x03ab"}} {
		t.Run(tc.name, func(t *testing.T) {
			h := half{octets: append(bytes.Clone(wire.Bytes()), tc.tail...)}
			got, err := h.bodies()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHTTP2Bodies reads two parallel downloads.
func TestHTTP2Bodies(t *testing.T) {
	ctx, g := gateway(t)
	web, err := StartNginx(g.Origin, dir(t, g, "nginx"), []Site{{Port: 8080, PriorKnowledge: true}})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"a.bin": make([]byte, 300_000), "b.bin": make([]byte, 200_000)}
	for name, content := range files {
		_, _ = rand.Read(content)
		if err := os.WriteFile(filepath.Join(web.Root, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	work := dir(t, g, "work")
	// The kernel may repeat segments, or a recorder take them out of turn.
	var bodies []HTTP2Body
	for try := range 5 {
		file := filepath.Join(work, fmt.Sprintf("cap%d.pcap", try))
		fetchAll(t, ctx, g, files, file)
		if bodies, err = HTTP2Bodies(ctx, file); err == nil {
			break
		}
		t.Log(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, b := range bodies {
		for _, content := range files {
			if bytes.Equal(b.Content, content) {
				found++
			}
		}
	}
	if len(bodies) != 2 || found != 2 {
		t.Errorf("%d bodies, %d of them as at the origin", len(bodies), found)
	}
}

// fetchAll fetches files at once over one connection and records it.
func fetchAll(t *testing.T, ctx context.Context, g *Gateway, files map[string][]byte, file string) {
	t.Helper()
	capture, err := StartCapture(g.Origin, OriginInterface, file)
	if err != nil {
		t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{DialContext: g.Client.DialContext, Protocols: protocols, DisableCompression: true}
	var wg sync.WaitGroup
	for name := range files {
		wg.Go(func() {
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+OriginV4+":8080/"+name, nil)
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Error(err)
				return
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err := errors.Join(err, response.Body.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	transport.CloseIdleConnections()
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
}

func FuzzBodies(f *testing.F) {
	f.Add([]byte(http2.ClientPreface + "\x00\x00\x01\x00\x00\x00\x00\x00\x01a"))
	f.Add([]byte("\x00\x00\x01\x00\x08\x00\x00\x00\x01\xff"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, octets []byte) {
		bodies, err := (&half{octets: octets}).bodies()
		sum := 0
		for _, b := range bodies {
			sum += len(b.Content)
		}
		if sum > len(octets) || err != nil && bodies != nil {
			t.Errorf("%d octets of content from %d, %v", sum, len(octets), err)
		}
	})
}
