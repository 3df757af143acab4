// 50, 30 and 20 % of the work by one inner loop, told apart by how it was reached: through an interface and a generic
// type, in a deferred function while a panic is recovered from, and in a closure of another goroutine.
// Usage: shares SECONDS (of CPU time)
package main

import (
	"os"
	"strconv"
	"syscall"
	"time"
)

var sink uint64

//go:noinline
func burn(units int) {
	x := sink
	for i := 0; i < units*1000; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink = x
}

type rule interface{ apply(units int) int }

type number interface{ ~int32 | ~int64 }

type discount[T number] struct{ factor T }

//go:noinline
func (d *discount[T]) apply(units int) int {
	burn(units / int(d.factor))
	return units
}

//go:noinline
func price(r rule, units int) int { return r.apply(units) + 1 }

//go:noinline
func refuse(depth, units int) int {
	defer func() {
		if depth == 2 {
			burn(units)
		}
	}()
	if depth == 0 {
		panic("refused")
	}
	return refuse(depth-1, units) + 1
}

//go:noinline
func checkout(units int) (refused bool) {
	defer func() { refused = recover() != nil }()
	return refuse(4, units) > 0
}

//go:noinline
func each(items []int, work func(int)) {
	for _, item := range items {
		work(item)
	}
}

//go:noinline
func roundOfWork(r rule) {
	price(r, 500*2)
	checkout(300)
	each([]int{50, 150}, func(units int) { burn(units) })
}

func cpu() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

//go:noinline
func work() {
	var r rule = &discount[int32]{2}
	for i := 0; i < 8; i++ {
		roundOfWork(r)
	}
}

func main() {
	seconds, _ := strconv.ParseFloat(os.Args[1], 64)
	all := time.Duration(seconds * 1e9)
	done := make(chan bool)
	for cpu() < all {
		work()
		// Half of it in a goroutine of its own.
		go func() {
			work()
			done <- true
		}()
		<-done
	}
}
