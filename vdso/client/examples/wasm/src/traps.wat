;; Functions that trap, each in another way; the program's own function is called by one of them.
(module
  (import "host" "peek" (func $peek (param i64) (result i64)))
  (memory 1 1)
  (func (export "load") (param i64) (result i64)
    (i64.extend_i32_u (i32.load (i32.wrap_i64 (local.get 0)))))
  (func (export "divide") (param i64) (result i64) (i64.div_s (i64.const 42) (local.get 0)))
  (func (export "refuse") (param i64) (result i64) unreachable)
  (func $recurse (export "recurse") (param i64) (result i64)
    (i64.add (i64.const 1) (call $recurse (local.get 0))))
  (func (export "ask") (param i64) (result i64) (call $peek (local.get 0))))
