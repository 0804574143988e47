package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// grouped returns a number with commas: 1,204.
func grouped[N int | int64 | uint64](n N) string {
	digits := fmt.Sprint(n)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// scaled returns a number with three digits at least, and the unit that suits it.
func scaled(n, base float64, units ...string) string {
	i := 0
	for ; n >= base && i < len(units)-1; i++ {
		n /= base
	}
	switch {
	case i == 0 && n == float64(int(n)), n >= 100:
		return strconv.FormatFloat(n, 'f', 0, 64) + units[i]
	default:
		return strconv.FormatFloat(n, 'f', 1, 64) + units[i]
	}
}

// octets returns a number of octets: "20 B", "1.2 MiB".
func octets[N int64 | uint64](n N) string {
	return scaled(float64(n), 1024, " B", " KiB", " MiB", " GiB", " TiB")
}

// bits returns a rate of octets a second in bits a second: "1.2 Gbit/s".
func bits(rate float64) string {
	return scaled(8*rate, 1000, " bit/s", " kbit/s", " Mbit/s", " Gbit/s", " Tbit/s")
}

// rate returns a rate of events a second.
func rate(n float64) string {
	if n > 0 && n < 10 {
		return strconv.FormatFloat(n, 'f', 1, 64)
	}
	return grouped(int64(n + .5))
}

// age returns how long something takes, in its greatest unit: "12s", "3m", "2h", "5d".
func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + "d"
}

// inWords returns how long something takes: "2 days", "1 minute".
func inWords(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.length); n > 0 {
			return grouped(n) + strings.TrimPrefix(count(n, unit.name), strconv.Itoa(n))
		}
	}
	return count(int(max(d, 0)/time.Second), "second")
}

// visible returns text of others as a terminal may show it: what controls the terminal, or
// the direction of text, is written as a number.
func visible(text string) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// hidden reports whether a character cannot be seen: it is not printable, or it is no
// UTF-8.
func hidden(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
