package keeper

import (
	"regexp"
	"strconv"
)

// numbered is a version as git describe writes it: v1.2.3, or v1.2.3-45-gabcdef.
var numbered = regexp.MustCompile(`^v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-(\d{1,9})-g[0-9a-f]+)?(?:-dirty)?$`)

// older reports whether version a is older than b. Versions without numbers are not
// compared.
func older(a, b string) bool {
	x, y := numbered.FindStringSubmatch(a), numbered.FindStringSubmatch(b)
	if x == nil || y == nil {
		return false
	}
	for i := 1; i <= 4; i++ {
		m, _ := strconv.Atoi(x[i]) // empty: 0
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m < n
		}
	}
	return false
}
