package e2e

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestCertificatePage has Chromium open the page with the certificate, by its own port
// and through the proxy, on a device that trusts the authority and on one that does not.
// The page says which of them it is, and has a code for cameras and buttons to copy.
func TestCertificatePage(t *testing.T) {
	c := newScene(t, settings{
		Intake: `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`,
		More:   "authority: {publish: \":8091\"}",
	})
	proxy := "--proxy-server=http://box.example:" + proxyPort
	for _, row := range []struct {
		name, ca, url string
		more          []string
		want, not     string
	}{
		{"trusted", c.CA, "http://box.example:8091/", nil, ">Yes: this device trusts", ">No: "},
		{"not trusted", c.PKI.RootFile, "http://box.example:8091/", nil, ">No: this device does not trust", ">Yes: "},
		{"trusted, through the proxy", c.CA, "http://clearspan.internal/", []string{proxy}, ">Yes: this device trusts", ">No: "},
		{"not trusted, through the proxy", c.PKI.RootFile, "http://clearspan.internal/", []string{proxy}, ">No: this device does not trust", ">Yes: "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), row.ca, "box.example", lab.BoxLANV4, row.url,
				append(row.more, "--virtual-time-budget=20000")...)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{row.want, `aria-label="QR code`, "<button type=\"button\">Copy</button>"} {
				if !strings.Contains(document, want) {
					t.Errorf("no %q in\n%s", want, document)
				}
			}
			if strings.Contains(document, row.not) {
				t.Errorf("%q in\n%s", row.not, document)
			}
		})
	}
}
