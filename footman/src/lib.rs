#![doc = include_str!("../README.md")]

pub mod cli;

mod check;
mod dead_letters;
mod demo;
mod doctor;
mod heart;
mod run;
mod schedule;
mod secrets;
mod tap;
mod terminal;

mod configuration;
#[cfg(feature = "mqtt-listener")]
pub mod mqtt_listener;
pub mod pipeline;
