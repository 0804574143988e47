package admin

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/health"
)

// readiness answers "ready" or "not ready", then a line for each part that is not ok.
func readiness(w http.ResponseWriter, h health.Health) {
	status, text := http.StatusOK, "ready"
	if !h.Ready {
		status, text = http.StatusServiceUnavailable, "not ready"
	}
	var lines strings.Builder
	lines.WriteString(text)
	for _, p := range h.Parts {
		if p.State != health.OK {
			fmt.Fprintf(&lines, "\n%s: %s (since %s)", p.State, p, p.Since.UTC().Format(time.RFC3339))
		}
	}
	answer(w, status, lines.String())
}
