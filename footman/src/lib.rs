#![doc = include_str!("../README.md")]

pub mod cli;

mod check;
mod dead_letters;
mod demo;
mod heart;
mod run;
mod schedule;
mod secrets;

mod configuration;
#[cfg(feature = "mqtt-listener")]
pub mod mqtt_listener;
pub mod pipeline;
