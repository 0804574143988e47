package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// TestMarks has every mark alone in a capture file, and all of them on a port.
func TestMarks(t *testing.T) {
	const (
		ours, theirs = "marked0", "rec1"
		mac          = "0a:63:73:00:00:01"
	)
	var capture *lab.Capture
	c := newScene(t, settings{
		Mirror: `  - {name: every, kind: interface, interface: ` + ours + `, full: block, mark: {vlan: 7, mac: "` + mac + `", dscp: 46}}
  - {name: vlan, kind: pcapng, directory: vlan, mark: {vlan: 4094}}
  - {name: mac, kind: pcapng, directory: mac, mark: {mac: "` + mac + `"}}
  - {name: dscp, kind: pcapng, directory: dscp, mark: {dscp: 63}}`,
		Prepare: prepared(func(c *scene) {
			err := c.Lab.Link(netlab.End{Namespace: c.Box, Name: ours, Silent: true},
				netlab.End{Namespace: c.Recorder, Name: theirs, Silent: true}, netlab.LinkOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for ns, name := range map[*netlab.Namespace]string{c.Box: ours, c.Recorder: theirs} {
				if err := ns.SetOffload(name, false, netlab.TXChecksum, netlab.TSO, netlab.GSO, netlab.GRO); err != nil {
					t.Fatal(err)
				}
			}
			if capture, err = lab.StartCapture(c.Recorder, theirs, filepath.Join(c.Directory("marked"), "marked.pcap")); err != nil {
				t.Fatal(err)
			}
		}),
	})
	web := c.Nginx()
	page := c.Page(web, "page", 50_000)
	for _, address := range []string{lab.OriginV4, "[" + lab.OriginV6 + "]"} {
		for _, port := range []string{"", ":80"} {
			scheme := "https://"
			if port != "" {
				scheme = "http://"
			}
			scenetest.Same(t, "page", c.Fetch("--http1.1", scheme+address+port+"/page").Content, page)
		}
	}
	c.Stop()
	if _, err := capture.Stop(); err != nil {
		t.Fatal(err)
	}
	const macSeen = "eth.src == " + mac
	for _, look := range []struct{ mirror, v4, v6 string }{
		{"every", "vlan.id == 7 && " + macSeen + " && ip.dsfield.dscp == 46", "vlan.id == 7 && " + macSeen + " && ipv6.tclass.dscp == 46"},
		{"vlan", "vlan.id == 4094 && ip.dsfield.dscp == 0 && !(" + macSeen + ")", "vlan.id == 4094 && ipv6.tclass.dscp == 0 && !(" + macSeen + ")"},
		{"mac", "!vlan && ip.dsfield.dscp == 0 && " + macSeen, "!vlan && ipv6.tclass.dscp == 0 && " + macSeen},
		{"dscp", "!vlan && ip.dsfield.dscp == 63 && !(" + macSeen + ")", "!vlan && ipv6.tclass.dscp == 63 && !(" + macSeen + ")"},
		{"pcap", "!vlan && ip.dsfield.dscp == 0 && !(" + macSeen + ")", "!vlan && ipv6.tclass.dscp == 0 && !(" + macSeen + ")"},
	} {
		file, account := capture.File, look.mirror
		if look.mirror != "every" {
			files, err := filepath.Glob(filepath.Join(c.Dir, "state", look.mirror, "*.pcapng"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%s: files %q, %v", look.mirror, files, err)
			}
			file = files[0]
		}
		if account == "pcap" {
			account = "files"
		}
		c.Account(account, c.ReadCapture(file))
		for family, filter := range map[string]string{"ip": look.v4, "ipv6": look.v6} {
			all, err := lab.Fields(c.Ctx, file, family+" && tcp", "tcp.len")
			if err != nil {
				t.Fatal(err)
			}
			marked, err := lab.Fields(c.Ctx, file, "tcp && "+filter, "tcp.len")
			if err != nil || len(marked) != len(all) || len(all) < 2*2*len(page)/1460/2 {
				t.Errorf("%s: %d frames of %d %s marked so, %v: %s", look.mirror, len(marked), len(all), family, err, filter)
			}
		}
		if problems, err := c.Problems(file); err != nil || len(problems) > 0 {
			t.Errorf("%s: tshark objects: %.5q, %v", look.mirror, problems, err)
		}
	}
}

// bothWays is a connection that keeps what goes by.
type bothWays struct {
	net.Conn

	mu    sync.Mutex
	read  []byte
	wrote []byte
}

func (x *bothWays) Read(p []byte) (int, error) {
	n, err := x.Conn.Read(p)
	x.mu.Lock()
	x.read = append(x.read, p[:n]...)
	x.mu.Unlock()
	return n, err
}

func (x *bothWays) Write(p []byte) (int, error) {
	n, err := x.Conn.Write(p)
	x.mu.Lock()
	x.wrote = append(x.wrote, p[:n]...)
	x.mu.Unlock()
	return n, err
}

// CloseWrite sends a FIN.
func (x *bothWays) CloseWrite() error { return x.Conn.(*net.TCPConn).CloseWrite() }

// TestRawTunnel compares the conversation of a session that is passed unopened,
// octet by octet, with what both ends exchanged.
func TestRawTunnel(t *testing.T) {
	c := newScene(t, settings{
		Policy: "{default: tunnel}",
		Mirror: "  - {name: raw, kind: pcapng, directory: raw, content: [tunneled]}",
	})
	config := &tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}
	origins := make(chan *bothWays, 4)
	c.Listen(firstPort, func(conn net.Conn) {
		x := &bothWays{Conn: conn}
		server := tls.Server(x, config)
		io.Copy(server, server)
		server.CloseWrite()
		x.CloseWrite()
		io.Copy(io.Discard, conn) // the client's end
		origins <- x
	})
	clients := make(map[ends]*bothWays)
	origin := make(map[ends]*bothWays)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		x := &bothWays{Conn: c.Dial(firstPort)}
		client := tls.Client(x, &tls.Config{RootCAs: c.Pool(c.PKI.RootFile), ServerName: webName, MaxVersion: version})
		if err := client.HandshakeContext(c.Ctx); err != nil {
			t.Fatal(err)
		}
		sent := make([]byte, 300_000)
		go func() {
			client.Write(sent)
			client.CloseWrite()
			x.CloseWrite()
		}()
		got, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		scenetest.Same(t, "echo", got, sent)
		io.Copy(io.Discard, x)
		port := scenetest.LocalPort(x)
		clients[port], origin[port] = x, <-origins
		x.Close()
	}
	c.Stop()
	files, err := filepath.Glob(filepath.Join(c.Dir, "state", "raw", "*.pcapng"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %q, %v", files, err)
	}
	recorded, err := mirrortest.Conversations(files[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Account("raw", recorded)
	for port, client := range clients {
		v := c.ConversationOf(recorded, port)
		scenetest.Same(t, "client to origin, as the client sent it", v.Streams[0], client.wrote)
		scenetest.Same(t, "client to origin, as the origin got it", v.Streams[0], origin[port].read)
		scenetest.Same(t, "origin to client, as the origin sent it", v.Streams[1], origin[port].wrote)
		scenetest.Same(t, "origin to client, as the client got it", v.Streams[1], client.read)
		if !v.Ended || len(v.Findings) > 0 || len(v.Streams[0]) < 300_000 {
			t.Errorf("conversation of %d octets, ended %t, findings %v", len(v.Streams[0]), v.Ended, v.Findings)
		}
	}
	rows, err := lab.Fields(c.Ctx, files[0], "tls.handshake.type == 1", "tls.handshake.extensions_server_name")
	if err != nil || len(rows) != len(clients) || rows[0][0] != webName {
		t.Errorf("tshark reads the hellos as %q, %v", rows, err)
	}
	if problems, err := c.Problems(files[0]); err != nil || len(problems) > 0 {
		t.Errorf("tshark objects: %.5q, %v", problems, err)
	}
}
