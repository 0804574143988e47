package alert

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/appliance/syslog"
)

// collector sends alerts as messages of syslog (RFC 5424), one for each finding.
type collector struct {
	network string // "tcp" or "udp"
	address string
	tls     *tls.Config // nil: without TLS
	host    string      // HOSTNAME
	version string
}

// schemes are those of syslog, with their ports: RFC 5425 and 5426; TCP has none of its own.
var schemes = map[string]string{"syslog+tls": "6514", "syslog+tcp": "514", "syslog+udp": "514"}

func parseSyslog(u *url.URL) (Receiver, error) {
	c := &collector{network: "tcp", version: "-"}
	if u.Scheme == "syslog+udp" {
		c.network = "udp"
	}
	port := u.Port()
	if port == "" {
		port = schemes[u.Scheme]
	}
	if u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("want %s://HOST:PORT", u.Scheme)
	}
	c.address = net.JoinHostPort(u.Hostname(), port)
	q := u.Query()
	if u.Scheme != "syslog+tls" && len(q) > 0 {
		return nil, fmt.Errorf("%s takes no ?, only syslog+tls does", u.Scheme)
	}
	if u.Scheme == "syslog+tls" {
		c.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: q.Get("name")}
		if c.tls.ServerName == "" {
			c.tls.ServerName = u.Hostname()
		}
		var err error
		if c.tls.RootCAs, err = authorities(q.Get("ca")); err != nil {
			return nil, err
		}
		if file := q.Get("certificate"); file != "" {
			pair, err := tls.LoadX509KeyPair(file, q.Get("key"))
			if err != nil {
				return nil, err
			}
			c.tls.Certificates = []tls.Certificate{pair}
		}
	}
	name, _ := os.Hostname()
	c.host = syslog.Word(name, 255)
	if i, ok := debug.ReadBuildInfo(); ok && i.Main.Version != "" {
		c.version = i.Main.Version
	}
	return c, nil
}

// authorities reads a PEM file; "": the roots of the system.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return pool, nil
}

func (c *collector) Name() string { return c.address }

// Send sends an alert on a connection of its own. The receiver has taken it when it has read
// the end of the connection, or when its kernel has everything and a while has passed.
func (c *collector) Send(ctx context.Context, a *Alert) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, c.network, c.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if c.network == "udp" {
		for _, m := range c.messages(a) {
			if _, err := conn.Write(m); err != nil {
				return err
			}
		}
		return nil
	}
	tcp := conn.(*net.TCPConn)
	var top interface {
		io.ReadWriter
		CloseWrite() error
	} = tcp
	if c.tls != nil {
		top = tls.Client(conn, c.tls)
	}
	for _, m := range c.messages(a) { // octet counting: RFC 5425, Section 4.3, and RFC 6587, Section 3.4.1
		if _, err := top.Write(append(strconv.AppendInt(nil, int64(len(m)), 10), append([]byte{' '}, m...)...)); err != nil {
			return err
		}
	}
	if err := top.CloseWrite(); err != nil {
		return err
	}
	if c.tls != nil {
		if err := tcp.CloseWrite(); err != nil {
			return err
		}
	}
	return c.settled(tcp, top)
}

// endWait is how long a receiver may take to end the connection as well.
const endWait = 5 * time.Second

// settled waits until a receiver has taken all.
func (c *collector) settled(tcp *net.TCPConn, top io.Reader) error {
	tcp.SetReadDeadline(time.Now().Add(endWait))
	_, err := io.Copy(io.Discard, top)
	if err == nil || c.tls != nil && errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	raw, failed := tcp.SyscallConn()
	if failed != nil {
		return err
	}
	left := -1
	if failed := raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); failed != nil || left != 0 {
		return err
	}
	return nil
}

// header begins a message: facility "log audit", severity "warning" (RFC 5424, Section 6.2.1).
func (c *collector) header(at time.Time) string {
	return fmt.Sprintf("<%d>1 %s %s clearspan - finding - ", 13*8+4, at.UTC().Format("2006-01-02T15:04:05.000000Z"), c.host)
}

// messages returns the messages of an alert.
func (c *collector) messages(a *Alert) (list [][]byte) {
	for i := range a.Findings {
		f := &a.Findings[i]
		x := syslog.CEF([]byte(c.header(f.At)), c.version, syslog.Event{Class: "finding", Name: "Personal or confidential data", Severity: min(f.Score/10, 10)})
		x.Raw("rt", strconv.FormatInt(f.At.UnixMilli(), 10))
		x.Text("cat", f.Detector, syslog.Text)
		x.Number("cnt", f.Count)
		source, _ := netip.ParseAddrPort(f.Client)
		destination, _ := netip.ParseAddrPort(f.Server)
		x.Ends(source, destination)
		x.Text("fname", f.File, syslog.Text)
		x.Text("fileHash", f.Object, syslog.Text)
		x.Text("externalId", f.Event, syslog.ShortText)
		x.Labeled("cs1", "rule", f.Rule)
		x.Labeled("cs2", "sample", f.Sample)
		x.Labeled("cs3", "place", f.Place)
		x.Labeled("cn1", "score", strconv.Itoa(f.Score))
		x.Text("msg", f.What, syslog.Text)
		list = append(list, x.B)
	}
	if a.More > 0 {
		f := &a.Findings[0]
		x := syslog.CEF([]byte(c.header(f.At)), c.version, syslog.Event{Class: "more", Name: "Further findings of this kind", Severity: min(f.Score/10, 10)})
		x.Text("cat", f.Detector, syslog.Text)
		x.Number("cnt", uint64(a.More))
		x.Labeled("cs1", "rule", f.Rule)
		list = append(list, x.B)
	}
	return list
}
