package rowstest

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Bulk writes a capture of at least so many octets of files that clients send: PUT and
// forms of HTTP/1.1, PUT of HTTP/2, and mail with base64, four sessions at a time. No two
// files are the same. It returns how many octets the files have.
func Bulk(w io.Writer, size int64) (total int64, err error) {
	b := bufio.NewWriterSize(w, 1<<20)
	out, err := newWriter(b)
	if err != nil {
		return 0, err
	}
	for n := 0; total < size; n++ {
		rows := bulkRows(n)
		for _, row := range rows {
			total += int64(len(row.Files[0].Octets))
		}
		client := netip.AddrFrom4([4]byte{10, 2, byte(n >> 8), byte(n)})
		frames := together(rows, Render{Client: client, Server: netip.MustParseAddr("203.0.113.80")})
		for i := range frames {
			frames[i].At = frames[i].At.Add(time.Duration(n) * time.Second)
		}
		if err := out.write(frames); err != nil {
			return total, err
		}
	}
	return total, b.Flush()
}

// bulkRows returns sessions that are held at the same time.
func bulkRows(n int) []Row {
	file := func(kind string, size int) File {
		name := fmt.Sprintf("%s-%d.bin", kind, n)
		return File{Name: name, Octets: Octets(name, size)}
	}
	put, posted, put2, mailed := file("put", 4<<20), file("form", 2<<20), file("put2", 2<<20), file("mail", 1<<20)
	rows := []Row{
		{Name: "put", Talks: []Talk{talk(request("PUT", "/in/"+put.Name, "files.example.test", "", put.Octets), answer("201 Created", "", ""))}, Files: []File{put}},
		{Name: "form", Talks: []Talk{talk(post("/upload", "Content-Type: multipart/form-data; boundary="+boundary+"\r\n",
			form(part("Content-Disposition: form-data; name=\"upload\"; filename=\""+posted.Name+"\"", posted.Octets))), answer("200 OK", "", ""))}, Files: []File{posted}},
		newFrames().request(1, false, "PUT", "/in/"+put2.Name).data(up, 1, true, 1<<14, put2.Octets).head(down, 1, true, ":status: 201").row("put2", put2),
		{Name: "mail", Talks: []Talk{smtp(letter("Content-Disposition: attachment; filename=\""+mailed.Name+"\"\r\nContent-Transfer-Encoding: base64", lines64(mailed.Octets)))}, Files: []File{mailed}},
	}
	return rows
}
