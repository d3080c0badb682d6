//! Compiles `src/traps.wat` to machine code, for a program that has no compiler in it.

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/traps.wat");
    let mut config = wasmtime::Config::new();
    // For every processor of the architecture, not this machine's.
    config.target(&std::env::var("TARGET")?)?.wasm_relaxed_simd(false).wasm_simd(false);
    let engine = wasmtime::Engine::new(&config)?;
    let code = engine.precompile_module(&std::fs::read("src/traps.wat")?)?;
    let folder = std::env::var("OUT_DIR")?;
    Ok(std::fs::write(Path::new(&folder).join("traps.cwasm"), code)?)
}
