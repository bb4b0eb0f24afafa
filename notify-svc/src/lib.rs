//! Receives what happened to orders and sends every message a guest gets.

pub mod render;
