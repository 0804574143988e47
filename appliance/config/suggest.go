package config

import (
	"fmt"
	"strconv"
	"strings"
)

// nearest returns the word that key was probably meant to be, or "". Two edits
// are forgiven, in short words one.
func nearest(key string, words []string) string {
	if len(key) > 64 {
		return ""
	}
	best, found := 3, ""
	if len(key) < 5 {
		best = 2
	}
	for _, w := range words {
		if d := distance(key, w); d < best {
			best, found = d, w
		}
	}
	return found
}

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours that turn a into b (restricted Damerau-Levenshtein).
func distance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// Nearest returns the word that s was probably meant to be, or "".
func Nearest(s string, words []string) string { return nearest(s, words) }

// leadingNumber cuts the decimal digits, at most six, from the beginning of s.
func leadingNumber(s string) (n int, unit string, ok bool) {
	unit = strings.TrimLeft(s, "0123456789")
	n, err := strconv.Atoi(s[:len(s)-len(unit)])
	return n, strings.TrimSpace(unit), err == nil && n < 1e6
}

// meantSize returns the size that s was probably meant to be, such as 1GiB for 1GB; ""
// if it is none.
func meantSize(s string) string {
	n, unit, ok := leadingNumber(s)
	if !ok || unit == "" {
		return ""
	}
	letter := strings.ToUpper(unit[:1])
	switch rest := strings.ToLower(unit[1:]); {
	case !strings.Contains("KMGT", letter):
	case rest == "", rest == "b", rest == "i", rest == "ib":
		return fmt.Sprintf("%d%siB", n, letter)
	}
	return ""
}

// longUnits are what operators write for units of durations, in hours or as Go has them.
var longUnits = []struct {
	names []string
	hours int
	unit  string
}{
	{[]string{"", "sec", "secs", "second", "seconds"}, 0, "s"},
	{[]string{"min", "mins", "minute", "minutes"}, 0, "m"},
	{[]string{"hour", "hours"}, 1, "h"},
	{[]string{"d", "day", "days"}, 24, "h"},
	{[]string{"w", "week", "weeks"}, 7 * 24, "h"},
}

// meantDuration returns the duration that s was probably meant to be, such as 24h for
// 1d; "" if it is none.
func meantDuration(s string) string {
	n, unit, ok := leadingNumber(s)
	if !ok || n == 0 {
		return ""
	}
	for _, u := range longUnits {
		for _, name := range u.names {
			if strings.EqualFold(name, unit) {
				return fmt.Sprint(n*max(u.hours, 1)) + u.unit
			}
		}
	}
	return ""
}
