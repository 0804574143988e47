package decrypt

import (
	"bufio"
	"crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
)

// recordOf is a TLS record.
func recordOf(typ byte, fragment string) string {
	return string([]byte{typ, 3, 1, byte(len(fragment) >> 8), byte(len(fragment))}) + fragment
}

// helloOf is a ClientHello of a version with the suites and a server name.
func helloOf(version uint16, suites string) string {
	body := string([]byte{byte(version >> 8), byte(version)}) + strings.Repeat("r", 32) + "\x00" +
		string([]byte{0, byte(len(suites))}) + suites + "\x01\x00" +
		"\x00\x19\x00\x00\x00\x15\x00\x13\x00\x00\x10www.example.test"
	return string([]byte{1, 0, 0, byte(len(body))}) + body
}

// TestHelloAlerts has first flights that are no usable ClientHello, at the beginning
// and behind STARTTLS. The alerts are those of RFC 8446, Sections 5 and 6.2.
func TestHelloAlerts(t *testing.T) {
	good := helloOf(tls.VersionTLS12, "\xc0\x2b")
	const (
		unexpected = 10
		overflow   = 22
		decode     = 50
		version    = 70
	)
	for _, tt := range []struct {
		name, flight string
		alert        byte
		reason       string
		upgraded     bool // only behind STARTTLS: at the beginning this is no TLS
	}{
		{"ServerHello", recordOf(22, "\x02"+good[1:]), unexpected, "malformed-hello", false},
		{"Finished", recordOf(22, "\x14\x00\x00\x0c"+strings.Repeat("f", 12)), unexpected, "malformed-hello", false},
		{"KeyUpdate", recordOf(22, "\x18\x00\x00\x01\x00"), unexpected, "malformed-hello", false},
		{"unknown message", recordOf(22, "\xff\x00\x00\x01\x00"), unexpected, "malformed-hello", false},
		{"no fragment", recordOf(22, ""), unexpected, "malformed-hello", false},
		{"no fragment within", recordOf(22, good[:20]) + recordOf(22, ""), unexpected, "malformed-hello", false},
		{"change_cipher_spec within", recordOf(22, good[:20]) + recordOf(20, "\x01"), unexpected, "malformed-hello", false},
		{"application data within", recordOf(22, good[:20]) + recordOf(23, "data"), unexpected, "malformed-hello", false},
		{"message behind it in its record", recordOf(22, good+good), unexpected, "malformed-hello", false},
		{"long record", "\x16\x03\x01\x40\x01\x01", overflow, "malformed-hello", false},
		{"long record within", recordOf(22, good[:20]) + "\x16\x03\x01\xff\xff", overflow, "malformed-hello", false},
		{"hello cut short", recordOf(22, "\x01\x00\x00\x05\x03\x03rrr"), decode, "malformed-hello", false},
		{"octet behind its fields", recordOf(22, "\x01\x00\x00"+string([]byte{good[3] + 1})+good[4:]+"\x00"), decode, "malformed-hello", false},
		{"odd suites", recordOf(22, helloOf(tls.VersionTLS12, "\xc0\x2b\x00")), decode, "malformed-hello", false},
		{"TLS 1.0 at most", recordOf(22, helloOf(tls.VersionTLS10, "\xc0\x09")), version, "client-handshake", false},
		{"SSL 3.0 at most", recordOf(22, helloOf(0x0300, "\xc0\x09")), version, "client-handshake", false},
		{"application data", recordOf(23, "data"), unexpected, "malformed-hello", true},
		{"change_cipher_spec", recordOf(20, "\x01"), unexpected, "malformed-hello", true},
		{"unknown record", recordOf(99, "data"), unexpected, "malformed-hello", true},
		{"SSLv2 hello", "\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", unexpected, "malformed-hello", true},
	} {
		answer := func(t *testing.T, b *testbed, conn io.ReadWriter) {
			io.WriteString(conn, tt.flight)
			got, err := io.ReadAll(conn)
			if want := recordOf(21, string([]byte{2, tt.alert})); err != nil || len(got) != len(want) || string(got[5:]) != want[5:] {
				t.Errorf("client got %x, %v, want alert %d", got, err, tt.alert)
			}
			if s := b.session(); s.Reason != tt.reason {
				t.Errorf("reason %q (%v)", s.Reason, s.Err)
			}
		}
		if !tt.upgraded {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Policy = always(policy.Bump) })
				conn := b.dial()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				answer(t, b, conn)
			})
		}
		t.Run("STARTTLS/"+tt.name, func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, mailOrigin, func(b *testbed) { b.cfg.Policy = always(policy.Bump) })
			conn := b.dial()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			r := bufio.NewReader(conn)
			heed := func(lines int) {
				for range lines {
					if _, err := r.ReadString('\n'); err != nil {
						t.Fatal(err)
					}
				}
			}
			heed(1)
			io.WriteString(conn, "EHLO client\r\n")
			heed(3)
			io.WriteString(conn, "STARTTLS\r\n")
			heed(1)
			answer(t, b, struct {
				io.Reader
				io.Writer
			}{r, conn})
		})
	}
}
