package retain

import (
	"errors"
	"strconv"
	"time"
)

// maxAge bounds an age: a time of type [time.Duration] is not much longer.
const maxAge = 100 * 365 * 24 * time.Hour

var errAge = errors.New("want an age such as 12h, 30d or 7y, of 100 years at most")

// ParseAge reads an age: a number with h, d or y behind it. A year has 365 days.
func ParseAge(s string) (time.Duration, error) {
	units := map[byte]time.Duration{'h': time.Hour, 'd': 24 * time.Hour, 'y': 365 * 24 * time.Hour}
	if s == "" {
		return 0, errAge
	}
	unit := units[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if unit == 0 || err != nil || n == 0 || n > uint64(maxAge/unit) {
		return 0, errAge
	}
	return time.Duration(n) * unit, nil
}
