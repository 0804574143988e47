package starttls_test

import (
	"fmt"

	"github.com/clearspan/clearspan/decrypt/sniff"
	"github.com/clearspan/clearspan/decrypt/starttls"
)

// What a recorder sees of a dialogue that turns to TLS.
func ExampleDialogue() {
	d := starttls.New(sniff.SMTP)
	show := func(octets string, follow func([]byte, []starttls.Span) ([]starttls.Span, int, starttls.State)) starttls.State {
		spans, _, state := follow([]byte(octets), nil)
		for _, s := range spans {
			if !s.Upgrade {
				fmt.Print(octets[:s.N])
			}
			octets = octets[s.N:]
		}
		return state
	}
	show("220 mail.example.test ESMTP\n", d.Origin)
	show("EHLO client.example.test\n", d.Client)
	show("250-mail.example.test\n250-STARTTLS\n250 8BITMIME\n", d.Origin)
	fmt.Println(show("STARTTLS\n", d.Client))
	fmt.Println(show("220 go ahead\n", d.Origin))
	// Output:
	// 220 mail.example.test ESMTP
	// EHLO client.example.test
	// 250-mail.example.test
	// 250 8BITMIME
	// requested
	// upgraded
}
