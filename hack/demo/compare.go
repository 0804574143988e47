package demo

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
)

// compare holds what was recorded against what was sent.
func (r *recording) compare(out *story, fetches []fetch, mails []mail, pages []inspected) {
	out.check(len(r.problems) == 0, "checksums, sequence numbers and dissection, without a flaw", strings.Join(r.problems, "\n    "))
	for _, f := range fetches {
		r.compareFetch(out, f)
	}
	for _, m := range mails {
		found := slices.ContainsFunc(r.mails, func(text string) bool {
			return strings.TrimRight(text, "\r\n") == strings.TrimRight(m.data(), "\r\n")
		})
		out.check(found, fmt.Sprintf("mail to port %d, exported, is the mail sent", m.port),
			fmt.Sprintf("sent %q, recorded %q", m.data(), r.mails))
	}
	r.compareServices(out, pages)
	r.compareAudit(out, len(fetches)+len(mails)+len(pages))
}

func (r *recording) compareFetch(out *story, f fetch) {
	what, content := f.page+", exported,", r.objects[f.page]
	if f.http2 {
		what, content = f.page+", joined from DATA frames,", r.body(f.client)
	}
	out.check(bytes.Equal(content, f.content),
		fmt.Sprintf("%s is the origin's file: SHA-256 %.8x", what, sha256.Sum256(f.content)),
		fmt.Sprintf("%d octets with SHA-256 %.8x of %d", len(content), sha256.Sum256(content), len(f.content)))
	if f.http2 {
		return // curl counts the octets of HTTP/1.1 only
	}
	c := find(r.conversations, f.client)
	out.check(c.ClientToOrigin == f.up && c.OriginToClient == f.down,
		fmt.Sprintf("%s, %d octets up and %d down, as curl counts", f.page, f.up, f.down),
		fmt.Sprintf("recorded %d and %d", c.ClientToOrigin, c.OriginToClient))
}

// body returns what the client received by HTTP/2.
func (r *recording) body(client string) []byte {
	for _, b := range r.bodies {
		if b.To == client {
			return b.Content
		}
	}
	return nil
}

// concealed is the reason under which the appliance counts the octets of an
// upgrade to TLS, which it relays but does not show.
const concealed = "concealed"

// compareAudit holds the recorder's conversations against the audit entries:
// every octet relayed was recorded, or is part of an upgrade to TLS.
func (r *recording) compareAudit(out *story, sessions int) {
	out.check(len(r.conversations) == sessions && len(r.entries) == sessions,
		fmt.Sprintf("%d sessions, %d conversations, %d audit entries", sessions, sessions, sessions),
		fmt.Sprintf("%d conversations, %d entries", len(r.conversations), len(r.entries)))
	var relayed, recorded, hidden int64
	var wrong, other []string
	for _, e := range r.entries {
		c, file := find(r.conversations, e.Client.String()), find(r.files, e.Client.String())
		sink := e.Mirror[sinkName]
		up, down := c.ClientToOrigin, c.OriginToClient
		relayed += e.Octets.Up + e.Octets.Down
		recorded += up + down
		hidden += sink.Lost
		if sink.Octets != up+down || sink.Octets+sink.Lost != e.Octets.Up+e.Octets.Down || !c.Closed ||
			sink.Lost != 0 && sink.Reason != concealed {
			wrong = append(wrong, fmt.Sprintf("session %s relayed %d and %d, mirrored %d, lost %d %s, recorded %d and %d, closed: %v",
				e.Client, e.Octets.Up, e.Octets.Down, sink.Octets, sink.Lost, sink.Reason, up, down, c.Closed))
		}
		if file.ClientToOrigin != up || file.OriginToClient != down {
			other = append(other, fmt.Sprintf("session %s has %d and %d octets in the file, %d and %d on the port",
				e.Client, file.ClientToOrigin, file.OriginToClient, up, down))
		}
	}
	out.check(len(wrong) == 0, fmt.Sprintf("%d octets relayed = %d recorded + %d of the STARTTLS dialogue", relayed, recorded, hidden),
		strings.Join(wrong, "; "))
	out.check(len(other) == 0, "the appliance's own pcapng file, the same octets", strings.Join(other, "; "))
}

// find returns the conversation of a client, zero if there is none.
func find(list []lab.Conversation, client string) lab.Conversation {
	for _, c := range list {
		if c.Client == client {
			return c
		}
	}
	return lab.Conversation{}
}
