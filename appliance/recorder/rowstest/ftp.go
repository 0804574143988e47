package rowstest

import (
	"fmt"
	"slices"
)

func ftpRows() []Row {
	row := func(name, verb string, setup []Step, data Talk, file File) Row {
		data.Steps = []Step{{From: down, Octets: file.Octets}}
		if !file.Received {
			data.Steps[0].From = up
		}
		if data.Active { // the server's end opened it
			data.Steps[0].From = data.Steps[0].From.Opposite()
		}
		steps := []Step{say(down, "220 ready\r\n"), say(up, "USER yamada\r\n"), say(down, "331 go\r\n"), say(up, "PASS x\r\n"), say(down, "230 in\r\n"), say(up, "TYPE I\r\n"), say(down, "200 ok\r\n")}
		steps = append(steps, setup...)
		steps = append(steps, say(up, verb+" /pub/"+file.Name+"\r\n"), say(down, "150 opening\r\n"), Step{From: down, Then: &data}, say(down, "226 done\r\n"), say(up, "QUIT\r\n"), say(down, "221 bye\r\n"))
		return Row{Name: name, Talks: []Talk{{Server: 21, Steps: steps}}, Files: []File{file}}
	}
	pasv := []Step{say(up, "PASV\r\n"), say(down, fmt.Sprintf("227 Entering Passive Mode (203,0,113,80,%d,%d)\r\n", 50123>>8, 50123&255))}
	epsv := []Step{say(up, "EPSV\r\n"), say(down, "229 Entering Extended Passive Mode (|||50124|)\r\n")}
	port := func(n uint16) []Step {
		return []Step{say(up, fmt.Sprintf("PORT 10,1,2,3,%d,%d\r\n", n>>8, n&255)), say(down, "200 ok\r\n")}
	}
	// The data connection is seen before the line that announces it.
	first := row("ftp data connection seen first", "RETR", []Step{say(up, "PASV\r\n"), say(down, fmt.Sprintf("227 Entering Passive Mode (203,0,113,80,%d,%d)\r\n", 50126>>8, 50126&255))},
		Talk{Server: 50126}, File{Name: "first.bin", Octets: Octets("ftp 5", 80_000), Received: true})
	control := first.Talks[0]
	control.Steps = slices.DeleteFunc(control.Steps, func(s Step) bool { return s.Then != nil })
	all := first.Files[0].Octets
	first.Talks = []Talk{{Server: 50126, Steps: []Step{{From: down, Octets: all[:5000]}, {From: down, Then: &control}, {From: down, Octets: all[5000:]}}}}
	return []Row{
		first,
		row("ftp retr by pasv", "RETR", pasv, Talk{Server: 50123}, File{Name: japaneseName, Octets: Octets("ftp 1", 80_000), Received: true}),
		row("ftp stor by epsv", "STOR", epsv, Talk{Server: 50124}, File{Name: "plan.dwg", Octets: Octets("ftp 2", 80_000)}),
		row("ftp retr by port", "RETR", port(45001), Talk{Server: 45001, Client: 20, Active: true}, File{Name: "a b.txt", Octets: Octets("ftp 3", 80_000), Received: true}),
		row("ftp stor by port", "STOR", port(45002), Talk{Server: 45002, Client: 20, Active: true}, File{Name: "up.txt", Octets: Octets("ftp 4", 80_000)}),
	}
}
