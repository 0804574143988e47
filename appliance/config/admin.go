package config

import "github.com/clearspan/clearspan/appliance/admin"

func (r *reader) admin(n *node) (a admin.Options) {
	t := r.table(n, "admin")
	a.Listen = value(t, "listen", "127.0.0.1:8090", func(s string) (string, error) {
		if s == "off" {
			return "", nil
		}
		return parseListen(s)
	})
	r.page(t, "listen", "admin", a.Listen)
	t.fill("admin", "", &a)
	t.close()
	return a
}
