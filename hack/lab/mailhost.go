package lab

import (
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
)

// MailHost is a namespace with a mail server and the mailbox of bob@example.test, whose
// password is "secret".
type MailHost struct {
	*netlab.Namespace
	Boxes  *Mailboxes
	Server *Server
}

// MailHostForTest runs a mail server, such as [StartPostfix] or [StartDovecot], until l is
// closed. If programs are missing, the test is skipped, or fails where the environment
// has CI set.
func MailHostForTest(t netlab.TB, l *netlab.Lab, start func(*netlab.Namespace, string, KeyPair, *Mailboxes) (*Server, error)) *MailHost {
	if err := MissingPrograms("test"); err != nil {
		needs.Missing(t, err)
	}
	h, err := newMailHost(l, start)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newMailHost(l *netlab.Lab, start func(*netlab.Namespace, string, KeyPair, *Mailboxes) (*Server, error)) (*MailHost, error) {
	h := new(MailHost)
	var dirs [3]string
	for i, name := range []string{"pki", "boxes", "server"} {
		var err error
		if dirs[i], err = l.Dir(name); err != nil {
			return nil, err
		}
	}
	p, err := NewPKI(dirs[0])
	if err != nil {
		return nil, err
	}
	certificate, err := p.Issue("mail.example.test")
	if err != nil {
		return nil, err
	}
	if h.Namespace, err = l.Namespace("mail"); err != nil {
		return nil, err
	}
	if h.Boxes, err = NewMailboxes(dirs[1], "example.test", map[string]string{"bob": "secret"}); err != nil {
		return nil, err
	}
	h.Server, err = start(h.Namespace, dirs[2], certificate, h.Boxes)
	return h, err
}
