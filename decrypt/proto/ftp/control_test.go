package ftp

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var v4, v6 = netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::7")

func TestControl(t *testing.T) {
	for _, tt := range []struct {
		name    string
		secured bool
		lines   string // "C: " and "O: ", each ends in CRLF
		want    []Data
	}{
		{"PASV of vsftpd", true, "C: PASV\nO: 227 Entering Passive Mode (192,0,2,10,155,2).", []Data{{Address: v4, Port: 155<<8 | 2, Protected: true}}},
		{"PASV without brackets", false, "C: pasv\nO: 227 =192,0,2,10,0,21", []Data{{Address: v4, Port: 21}}},
		{"EPSV", false, "C: EPSV\nO: 229 Entering Extended Passive Mode (|||6446|)", []Data{{Port: 6446}}},
		{"EPSV with a family, and another delimiter", false, "C: EPSV 2\nO: 229 ok (!!!6446!)", []Data{{Port: 6446}}},
		{"PORT", false, "C: PORT 192,0,2,10,4,1", []Data{{Active: true, Address: v4, Port: 1025}}},
		{"EPRT", true, "C: EPRT |1|192.0.2.10|1025|\nC: eprt |2|2001:db8::7|1026|", []Data{
			{Active: true, Address: v4, Port: 1025, Protected: true}, {Active: true, Address: v6, Port: 1026, Protected: true}}},
		{"PROT C granted", true, "C: PROT C\nO: 200 ok\nC: PASV\nO: 227 (192,0,2,10,4,1)", []Data{{Address: v4, Port: 1025}}},
		{"PROT C refused", true, "C: PROT C\nO: 536 no\nC: PASV\nO: 227 (192,0,2,10,4,1)", []Data{{Address: v4, Port: 1025, Protected: true}}},
		{"PROT P", false, "C: PBSZ 0\nO: 200 ok\nC: prot p\nO: 200 ok\nC: EPSV\nO: 229 (|||9|)", []Data{{Port: 9, Protected: true}}},
		{"pipelined", false, "C: PASV\nC: EPSV\nO: 227 (192,0,2,10,4,1)\nO: 229 (|||1026|)", []Data{{Address: v4, Port: 1025}, {Port: 1026}}},
		{"nobody asked", false, "C: EPSV ALL\nO: 227 (192,0,2,10,4,1)\nO: 229 (|||1026|)", nil},
		{"first line of several", false, "C: PASV\nO: 227-(192,0,2,10,4,1)", nil},
		{"text within a reply", false, "C: PASV\nC: PASV\nO: 211-help\nO: 227 (192,0,2,10,4,1)\nO: 211 end\nO: 227-\nO: 229 (|||9|)\nO: 227 (192,0,2,10,4,2)", []Data{{Address: v4, Port: 1026}}},
		{"mail", false, "C: EHLO a\nC: PORT 192,0,2,10,4,1", nil},
		{"not an address", false, "C: PORT 192,0,2,256,4,1\nC: PORT 1,2,3,4,5\nC: PORT 1,2,3,4,5,6,7\nC: PORT\nC: PORT 1,2,3,4,0,0\n" +
			"C: EPRT\nC: EPRT |\nC: EPRT |2|192.0.2.10|7|\nC: EPRT |1|192.0.2.10|0|\nC: EPRT |1|192.0.2.10|7\nC: EPRT |2|fe80::1%eth0|7|", nil},
		{"not a reply", false, "C: PASV\nO: 227 hello\nC: EPSV\nO: 229 ()\nC: EPSV\nO: 229 (|||)\nC: EPSV\nO: 229 (|||70000|)\nC: EPSV\nO: 229", nil},
		{"a long line", false, "C: " + strings.Repeat("x", 3*maxLine) + "\nC: PORT 192,0,2,10,4,1", []Data{{Active: true, Address: v4, Port: 1025}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 3, 1000} {
				c := NewControl(tt.secured)
				var got []Data
				for text := range strings.SplitSeq(tt.lines, "\n") {
					read := c.Client
					if text[0] == 'O' {
						read = c.Origin
					}
					for rest := text[3:] + "\r\n"; rest != ""; {
						n := min(size, len(rest))
						got = append(got, read([]byte(rest[:n]))...)
						rest = rest[n:]
					}
				}
				if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
					t.Errorf("in pieces of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
}

func FuzzControl(f *testing.F) {
	f.Add("PASV\r\nPROT P\r\n", "227 Entering Passive Mode (192,0,2,10,155,2).\r\n200 ok\r\n", true)
	f.Add("EPSV\r\nEPRT |2|2001:db8::7|1026|\r\n", "229 (|||6446|)\r\n", false)
	f.Add("PORT 1,2,3,4,5,6\nPASV", "227 ,,,,,\r\n229 (((((\n", false)
	f.Fuzz(func(t *testing.T, client, origin string, secured bool) {
		c := NewControl(secured)
		for _, d := range append(c.Client([]byte(client)), c.Origin([]byte(origin))...) {
			if d.Port == 0 || d.Active && !d.Address.IsValid() {
				t.Errorf("announced %+v", d)
			}
		}
	})
}
