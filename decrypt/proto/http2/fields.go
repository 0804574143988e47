package http2

import (
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/clearspan/clearspan/decrypt/proto/http1"
)

// maxTable bounds the dynamic table of a [Decoder] in octets, whatever a peer allows.
const maxTable = 64 << 10

// Decoder decodes the header blocks of one direction (RFC 7541). It has to see all of
// them. It is not safe for concurrent use.
type Decoder struct {
	hpack   *hpack.Decoder
	allowed uint32
	limit   int
	fields  []hpack.HeaderField
	size    int
}

// NewDecoder returns a decoder that keeps at most limit octets of fields of a block, by
// the measure of RFC 9113, Section 6.5.2: 32 octets for each field, beside name and
// value.
func NewDecoder(limit int) *Decoder {
	d := &Decoder{limit: limit, allowed: DefaultTable}
	d.hpack = hpack.NewDecoder(DefaultTable, d.emit)
	d.hpack.SetMaxStringLength(limit)
	return d
}

// AllowTable obeys SETTINGS_HEADER_TABLE_SIZE, sent in the other direction. The bound
// never shrinks: when the sender of the blocks has taken note cannot be seen.
func (d *Decoder) AllowTable(size uint32) {
	if size = min(size, maxTable); size > d.allowed {
		d.allowed = size
		d.hpack.SetAllowedMaxDynamicTableSize(size)
	}
}

// Decode appends the fields of the header block of f to list. size is that of the
// block. If it is above the limit, fields are left out, and the table is sound all the
// same. An error is a [Fault] of the connection: nothing more can be decoded.
func (d *Decoder) Decode(list []hpack.HeaderField, f *Frame) (fields []hpack.HeaderField, size int, err error) {
	d.fields, d.size = list, 0
	d.hpack.SetEmitEnabled(true)
	for p := range f.Fragments() {
		if _, err := d.hpack.Write(p); err != nil {
			return nil, 0, errBlock
		}
	}
	if d.hpack.Close() != nil {
		return nil, 0, errBlock
	}
	fields, d.fields = d.fields, nil
	return fields, d.size, nil
}

// emit takes a field of the block that is being decoded.
func (d *Decoder) emit(f hpack.HeaderField) {
	if d.size += int(f.Size()); d.size > d.limit {
		d.hpack.SetEmitEnabled(false)
		return
	}
	d.fields = append(d.fields, f)
}

// Authority returns the host that a request asks for: its :authority, else its host
// field (RFC 9113, Section 8.3.1). Two that differ leave it in doubt. The syntax is
// that of HTTP/1, see [http1.ParseHost].
func Authority(fields []hpack.HeaderField) http1.Host {
	var authority, host string
	for i := range fields {
		known := &authority
		switch fields[i].Name {
		case ":authority":
		case "host":
			known = &host
		default:
			continue
		}
		if *known != "" && !strings.EqualFold(*known, fields[i].Value) {
			return http1.Host{Doubt: http1.HostsDiffer}
		}
		*known = fields[i].Value
	}
	switch {
	case authority == "":
		authority = host
	case host != "" && !strings.EqualFold(host, authority):
		return http1.Host{Doubt: http1.HostsDiffer}
	}
	return http1.ParseHost([]byte(authority))
}
