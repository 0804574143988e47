package query

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parsePorts reads a port, or two with a hyphen between them.
func parsePorts(text string) (span, bool) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	low, err := strconv.ParseUint(from, 10, 16)
	if err != nil {
		return span{}, false
	}
	high, err := strconv.ParseUint(to, 10, 16)
	if err != nil || high < low {
		return span{}, false
	}
	return span{int64(low), int64(high)}, true
}

// parseNumbers reads a number, or two with a hyphen between them.
func parseNumbers(text string) (span, bool) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	low, err := strconv.ParseUint(from, 10, 63)
	if err != nil {
		return span{}, false
	}
	high, err := strconv.ParseUint(to, 10, 63)
	if err != nil || high < low {
		return span{}, false
	}
	return span{int64(low), int64(high)}, true
}

// units of octets, without the B behind them.
var units = map[string]float64{
	"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30, "ti": 1 << 40,
}

// parseSize reads octets.
func parseSize(text string) (span, bool) {
	text = strings.ToLower(text)
	digits := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if digits < 0 {
		digits = len(text)
	}
	unit, ok := units[strings.TrimSuffix(strings.TrimSpace(text[digits:]), "b")]
	if !ok {
		return span{}, false
	}
	number, err := strconv.ParseFloat(text[:digits], 64)
	n := math.Round(number * unit)
	if err != nil || n >= 1<<63 {
		return span{}, false
	}
	return span{int64(n), int64(n)}, true
}

// parseDuration reads a duration; a day is 24 h.
func parseDuration(text string) (time.Duration, bool) {
	var days time.Duration
	if head, rest, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, false
		}
		if days = time.Duration(n) * 24 * time.Hour; rest == "" {
			return days, true
		}
		text = rest
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > math.MaxInt64-days {
		return 0, false
	}
	return days + d, true
}

// layouts of times, with what one value covers.
var layouts = []struct {
	layout string
	covers time.Duration // 0: the day, however long it is
}{
	{"2006-01-02", 0},
	{"2006-01-02T15:04", time.Minute},
	{"2006-01-02 15:04", time.Minute},
	{"2006-01-02T15:04:05", time.Second},
	{"2006-01-02 15:04:05", time.Second},
	{"2006-01-02T15:04Z07:00", time.Minute},
	{time.RFC3339, time.Second}, // with a fraction, too
}

// parseTime reads a time; it covers as much as it says, such as a day. Years are those
// that nanoseconds since 1970 can count.
func parseTime(text string, now time.Time) (span, bool) {
	upper := strings.ToUpper(text)
	for _, l := range layouts {
		at, err := time.ParseInLocation(l.layout, upper, now.Location())
		if err != nil {
			continue
		}
		if at.Year() < 1970 || at.Year() > 2200 {
			return span{}, false
		}
		end := at.Add(l.covers)
		if l.covers == 0 {
			end = at.AddDate(0, 0, 1)
		}
		return span{at.UnixNano(), end.UnixNano() - 1}, true
	}
	switch day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location()); upper {
	case "TODAY":
		return span{day.UnixNano(), day.AddDate(0, 0, 1).UnixNano() - 1}, true
	case "YESTERDAY":
		return span{day.AddDate(0, 0, -1).UnixNano(), day.UnixNano() - 1}, true
	default:
		if at, err := time.Parse("15:04", text); err == nil {
			from := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
			return span{from.UnixNano(), from.Add(time.Minute).UnixNano() - 1}, true
		}
	}
	ago, ok := parseDuration(text)
	at := now.Add(-ago).UnixNano()
	return span{at, at}, ok && ago < 100*365*24*time.Hour && at > 0
}

// parseNetwork reads an address, with or without a port, or a prefix.
func parseNetwork(text string) (network, bool) {
	text = strings.TrimSpace(text)
	if a, err := netip.ParseAddrPort(text); err == nil {
		u := a.Addr().Unmap().WithZone("")
		return network{netip.PrefixFrom(u, u.BitLen()), a.Port()}, true
	}
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		a = a.Unmap().WithZone("")
		return network{netip.PrefixFrom(a, a.BitLen()), 0}, true
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		return network{p.Masked(), 0}, true
	}
	return network{}, false
}

// parseSpan reads a number of a kind, or a range of them.
func parseSpan(k Kind, text string, now time.Time) (span, bool) {
	switch k {
	case PortRange:
		return parsePorts(text)
	case Size:
		return parseSize(text)
	case Number:
		return parseNumbers(text)
	case Duration:
		d, ok := parseDuration(text)
		return span{int64(d), int64(d)}, ok
	}
	return parseTime(text, now)
}
