package gate

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

//go:embed limits.txt
var limitsFile string

// usual is the limit of packages without one of their own.
const usual = time.Minute

// Limits are how long packages may take.
type Limits map[string]time.Duration

// DefaultLimits are those of limits.txt.
func DefaultLimits() (Limits, error) { return parseLimits(limitsFile) }

// parseLimits reads lines of a package's folder and a duration.
func parseLimits(text string) (Limits, error) {
	l := make(Limits)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		if len(f) != 2 {
			return nil, fmt.Errorf("limits.txt:%d: want a folder and a duration", n)
		}
		d, err := time.ParseDuration(f[1])
		if err != nil {
			return nil, fmt.Errorf("limits.txt:%d: %w", n, err)
		}
		l[f[0]] = d
	}
	return l, nil
}

// Of returns the limit of a package, by its folder in the module. Without limits it
// is a day.
func (l Limits) Of(folder string) time.Duration {
	if l == nil {
		return 24 * time.Hour
	}
	if d, ok := l[folder]; ok {
		return d
	}
	return usual
}
