package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// story writes what happens and counts comparisons. Errors of the writer are
// ignored: they are the reader's loss only.
type story struct {
	w         io.Writer
	began     time.Time
	compared  int
	different []string
}

// start returns when the story began, which is its first call.
func (s *story) start() time.Time {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	return s.began
}

func (s *story) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.w, format, args...)
}

// check tells the result of a comparison. detail is shown if it differs.
func (s *story) check(ok bool, what, detail string) {
	s.compared++
	if ok {
		s.say("  same     %s\n", what)
		return
	}
	s.say("  DIFFERS  %s: %s\n", what, detail)
	s.different = append(s.different, what)
}

// verdict returns an error if anything differed.
func (s *story) verdict() error {
	if len(s.different) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d comparisons differ: %s", len(s.different), s.compared, strings.Join(s.different, "; "))
}
