package trailtest

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/recorder/trail"
)

// Mix makes events as an office makes them: requests of the web, sessions that stay closed,
// lookups, mail with attachments, files and logins, of 2,000 people at 20,000 hosts. The same
// number always makes the same event.
type Mix struct {
	Begin  time.Time
	Events int // in all
	Days   int // over which they are spread
}

const (
	mixClients = 2_000
	mixHosts   = 20_000
	mixObjects = 10_000 // that are seen again and again
)

// At returns the time of an event.
func (m Mix) At(i int) time.Time {
	span := time.Duration(m.Days) * 24 * time.Hour
	return m.Begin.Add(time.Duration(float64(i) / float64(m.Events) * float64(span)))
}

// Client returns the address of one of the people.
func (Mix) Client(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 1, byte(n % mixClients >> 8), byte(n % mixClients)})
}

// Host returns the name of a host.
func (Mix) Host(n int) string {
	return fmt.Sprintf("%s%d.example-%d.com", [...]string{"www", "cdn", "api", "img", "mail", "static"}[n%6], n%97, n%mixHosts)
}

// Hash returns the hash of object n.
func (Mix) Hash(n uint64) trail.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
}

// rare returns a number below n, small ones far more often.
func rare(r *rand.Rand, n int) int {
	return min(int(math.Pow(float64(n), r.Float64())), n) - 1
}

// Batch returns n events.
func (m Mix) Batch(from, n int) *trail.Batch {
	b := &trail.Batch{Cursor: fmt.Appendf(nil, "%d", from+n)}
	for i := from; i < from+n; i++ {
		m.event(b, i)
	}
	return b
}

// words are those of texts and paths.
var words = strings.Fields(`invoice report minutes draft budget contract offer review plan summary customer project falcon quarter
 forecast meeting agenda notes design schedule order delivery receipt travel expense policy manual release update status training
 見積書 請求書 議事録 契約書 企画 顧客 名簿 資料 報告 予算`)

func word(r *rand.Rand) string { return words[r.IntN(len(words))] }

// event adds event i.
func (m Mix) event(b *trail.Batch, i int) {
	r := rand.New(rand.NewPCG(7, uint64(i)))
	at := m.At(i)
	host := m.Host(rare(r, mixHosts))
	client := netip.AddrPortFrom(m.Client(rare(r, mixClients)), uint16(32768+r.IntN(28000)))
	h := uint64(rare(r, mixHosts))
	server := netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, byte(h >> 16), byte(h >> 8), byte(h)}), 443)
	e := trail.Event{ID: ID(at, uint64(i)*0x9e3779b97f4a7c15), Seq: 1, At: at, Client: client, Server: server, Host: host, Up: uint64(r.IntN(2000)), Down: uint64(r.IntN(200_000))}
	s := trail.Session{Start: at, End: at.Add(time.Duration(r.IntN(1e9))), Source: "span", Client: client, Server: server, Transport: "tcp", Up: e.Up + 500, Down: e.Down + 500, Packets: uint64(20 + r.IntN(200)), Stop: "ended", SNI: host, Rule: "office"}
	var list []trail.Sighting
	switch kind := r.IntN(100); {
	case kind < 62:
		list = m.request(r, &e, i)
	case kind < 80:
		e.Kind, e.Protocol, e.Agent, e.Mechanism = trail.TLS, "tls", fmt.Sprintf("t13d1516h2_%012x", rare(r, 60)), "1.3"
	case kind < 93:
		e.Kind, e.Protocol, e.Method, e.Answers = trail.Lookup, "dns", "A", server.Addr().String()
		s.Transport, s.SNI = "udp", ""
	case kind < 98:
		list = m.mail(r, b, &e, i)
		s.SNI = ""
	default:
		e.Kind, e.Protocol, e.User, e.Mechanism, e.Outcome = trail.Login, "smb", fmt.Sprintf("user%d", rare(r, mixClients)), "ntlm", "ok"
	}
	s.Protocol = e.Protocol
	s.ID = ID(at, uint64(i)*0x9e3779b97f4a7c15|1)
	if e.Kind == trail.Request && i%3 > 0 { // of the session of the one before
		s.ID = ID(m.At(i-i%3), uint64(i-i%3)*0x9e3779b97f4a7c15|1)
		e.Seq = uint64(1 + i%3)
	} else {
		b.Sessions = append(b.Sessions, s)
	}
	e.Session = s.ID
	b.Events, b.Sightings = append(b.Events, e), append(b.Sightings, list...)
	for _, v := range list {
		b.Objects = append(b.Objects, trail.Object{Hash: v.Hash, Size: v.Size, Type: v.Type, First: v.At, Stored: v.Size / 2})
	}
}

// request makes a request of the web, and returns what was seen in it.
func (m Mix) request(r *rand.Rand, e *trail.Event, i int) []trail.Sighting {
	e.Kind, e.Protocol, e.Method, e.Status = trail.Request, "http", "GET", 200
	e.Type = [...]string{"text/html", "application/json", "image/png", "text/css", "application/javascript", "application/pdf", "image/webp", "font/woff2"}[rare(r, 8)]
	e.Agent = fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", 100+rare(r, 60))
	name := fmt.Sprintf("%s-%d.%s", word(r), r.IntN(100_000), [...]string{"html", "json", "png", "css", "js", "pdf"}[r.IntN(6)])
	e.URI = fmt.Sprintf("https://%s/%s/%s/%s", e.Host, word(r), word(r), name)
	if r.IntN(2) == 0 {
		e.Referrer = fmt.Sprintf("https://%s/%s/", e.Host, word(r))
	}
	if r.IntN(5) == 0 {
		return nil
	}
	v := trail.Sighting{Event: e.ID, Number: 1, Hash: m.Hash(uint64(rare(r, mixObjects))), At: e.At, Direction: trail.Received, Type: e.Type, Ending: "complete", Size: e.Down}
	if r.IntN(10) < 6 {
		v.Hash = m.Hash(uint64(i) + mixObjects)
	}
	if r.IntN(3) == 0 {
		v.Name = name
	}
	return []trail.Sighting{v}
}

// mail makes a mail message with an attachment.
func (m Mix) mail(r *rand.Rand, b *trail.Batch, e *trail.Event, i int) []trail.Sighting {
	e.Kind, e.Protocol, e.Method, e.Status, e.Host = trail.Mail, "smtp", "send", 250, ""
	e.Sender = fmt.Sprintf("user%d@example.co.jp", rare(r, mixClients))
	e.Subject = word(r) + " " + word(r) + " " + word(r)
	e.MessageID = fmt.Sprintf("<%016x@example.co.jp>", r.Uint64())
	e.Parties = []trail.Party{{Role: trail.From, Address: e.Sender}, {Role: trail.Recipient, Address: fmt.Sprintf("contact%d@example-%d.com", r.IntN(20), rare(r, mixHosts))}}
	whole := trail.Sighting{Event: e.ID, Number: 1, Hash: m.Hash(uint64(i) + 1<<40), At: e.At, Direction: trail.Sent, Type: "message/rfc822", Ending: "complete", Size: e.Up + 100_000}
	list := []trail.Sighting{whole}
	if r.IntN(2) == 0 {
		v := whole
		v.Number, v.Hash, v.Parent, v.Part, v.Type, v.Size = 2, m.Hash(uint64(i)+1<<41), whole.Hash, "2", "application/pdf", 90_000
		v.Name = word(r) + "-" + word(r) + ".pdf"
		list = append(list, v)
		if r.IntN(20) == 0 {
			b.Findings = append(b.Findings, trail.Finding{ID: ID(e.At, r.Uint64()), Event: e.ID, Hash: v.Hash, At: e.At, Detector: "my-number", Count: 3, Score: 90, Sample: "1234-****-**18", Place: "page 1"})
		}
	}
	var text strings.Builder
	for range 60 {
		text.WriteString(word(r) + " ")
	}
	b.Texts = append(b.Texts, trail.Text{Hash: whole.Hash, At: e.At, Text: text.String()})
	return list
}
