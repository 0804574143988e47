package syslog

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of values in octets; further octets are cut.
const (
	LongText  = 4000
	Text      = 1023
	ShortText = 63
)

// Event is what an event is called, and how severe it is, from 0 to 10.
type Event struct {
	Class, Name string
	Severity    int
}

// Extension collects the keys behind the header. Keys without a value are left out.
type Extension struct {
	B    []byte
	some bool
}

// CEF appends the header of an event to b, and returns what takes the keys.
func CEF(b []byte, version string, e Event) Extension {
	b = append(b, "CEF:0|clearspan|clearspan|"...)
	for _, field := range []string{version, e.Class, e.Name} {
		b = append(appendEscaped(b, field, `\|`), '|')
	}
	return Extension{B: append(strconv.AppendInt(b, int64(e.Severity), 10), '|')}
}

// Raw appends a key whose value needs no escape.
func (x *Extension) Raw(key, value string) {
	if x.some {
		x.B = append(x.B, ' ')
	}
	x.some = true
	x.B = append(append(append(x.B, key...), '='), value...)
}

// Text appends a key and at most limit octets of its value.
func (x *Extension) Text(key, value string, limit int) {
	if value == "" {
		return
	}
	if len(value) > limit {
		for limit > 0 && !utf8.RuneStart(value[limit]) {
			limit--
		}
		value = value[:limit]
	}
	x.Raw(key, "")
	x.B = appendEscaped(x.B, value, `\=`)
}

// Labeled appends one of the keys that need a label.
func (x *Extension) Labeled(key, label, value string) {
	if value == "" {
		return
	}
	x.Raw(key+"Label", label)
	x.Text(key, value, LongText)
}

// Number appends a key with a number.
func (x *Extension) Number(key string, n uint64) { x.Raw(key, strconv.FormatUint(n, 10)) }

// Ends appends addresses and ports, as far as they are valid. IPv6 has keys of its own.
func (x *Extension) Ends(source, destination netip.AddrPort) {
	x.address("src", "c6a2", "Source IPv6 Address", "spt", source)
	x.address("dst", "c6a3", "Destination IPv6 Address", "dpt", destination)
}

func (x *Extension) address(v4, v6, label, port string, a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	if a.Addr().Is4() {
		x.Raw(v4, a.Addr().String())
	} else {
		x.Labeled(v6, label, a.Addr().WithZone("").String())
	}
	x.Number(port, uint64(a.Port()))
}

// appendEscaped appends s with a backslash before each of special. Line ends become \n and
// \r, other control characters a blank.
func appendEscaped(b []byte, s, special string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c < ' ' || c == 0x7f:
			b = append(b, ' ')
		case strings.IndexByte(special, c) >= 0:
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return b
}
