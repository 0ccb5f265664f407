// Command program is what the tests run in containers: it needs no libc and no
// shell.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func main() {
	switch os.Args[1] {
	case "talk": // write both streams, then wait for the stop signal
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM)
		fmt.Println("first")
		fmt.Fprintln(os.Stderr, "second")
		fmt.Println(strings.Repeat("x", 40_000))
		fmt.Println("last")
		<-stop
		fmt.Println("bye")
		os.Exit(3)
	case "burn": // use one core until killed
		for i := 0; ; i++ {
			if i < 0 {
				return
			}
		}
	case "exit":
		code, _ := strconv.Atoi(os.Args[2])
		fmt.Fprintln(os.Stderr, "going")
		os.Exit(code)
	case "echo":
		fmt.Println(strings.Join(os.Args[2:], " "))
	}
}
