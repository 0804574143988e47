package config

// Admin is the operators' HTTP server: health, metrics, console.
type Admin struct {
	// Listen is "ADDRESS:PORT", empty for no server ("off" in the file). Default
	// 127.0.0.1:8090.
	Listen string
}

func (r *reader) admin(n *node) (a Admin) {
	t := r.table(n, "admin")
	a.Listen = value(t, "listen", "127.0.0.1:8090", func(s string) (string, error) {
		if s == "off" {
			return "", nil
		}
		return parseListen(s)
	})
	r.listens(t, "listen", "admin", a.Listen)
	t.close()
	return a
}
