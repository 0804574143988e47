package config_test

import (
	"fmt"

	"github.com/clearspan/clearspan/appliance/config"
)

// All faults are reported at once, each with its place.
func Example() {
	_, err := config.Parse("clearspan.yaml", []byte(`
intake:
  - {name: proxy, mode: explicit, listn: 127.0.0.1:8080}
origin: {min_tls: "1.1"}
`), ".")
	fmt.Println(err)
	// Output:
	// clearspan.yaml:3:5: listen is missing
	// clearspan.yaml:3:35: unknown key "listn", did you mean "listen"?
	// clearspan.yaml:4:19: min_tls: TLS 1.1 is deprecated (RFC 8996) and never negotiated, want 1.2 or 1.3
}
