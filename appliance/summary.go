package appliance

import (
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/appliance/health"
)

// Summary is a line about the box as it is now, such as "1,204 sessions, recorder no-link":
// its open sessions, and the parts that are not as they should be, with the reason.
func (a *Appliance) Summary() string {
	list := []string{counted(a.limiter.Open(), "session")}
	for _, p := range a.health.Parts() {
		if p.State != health.OK {
			list = append(list, strings.TrimSpace(p.Name+" "+p.Why))
		}
	}
	return strings.Join(list, ", ")
}

// counted is a number of things as people read it: "1 session", "1,204 sessions".
func counted(n int, thing string) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	b.WriteString(" " + thing)
	if n != 1 {
		b.WriteByte('s')
	}
	return b.String()
}
