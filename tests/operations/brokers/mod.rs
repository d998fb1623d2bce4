//! The files in `config/brokers`, with the secrets that `footman secrets` makes: the real servers
//! load them, each role can do its work over them, and nothing else.

mod mosquitto;
mod mosquitto_roles;
mod nats;
mod nats_roles;
mod pipeline;
mod shipped;
mod tap;
