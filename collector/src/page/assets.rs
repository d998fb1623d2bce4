//! The files of the page, which are in the program: nothing is loaded from elsewhere.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

/// Path, content type and content of each.
pub(super) const ASSETS: [(&str, &str, &str); 6] = [
    ("/assets/page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("/assets/page.js", "text/javascript; charset=utf-8", include_str!("assets/page.js")),
    ("/assets/good.svg", "image/svg+xml", include_str!("assets/good.svg")),
    ("/assets/idle.svg", "image/svg+xml", include_str!("assets/idle.svg")),
    ("/assets/warn.svg", "image/svg+xml", include_str!("assets/warn.svg")),
    ("/assets/bad.svg", "image/svg+xml", include_str!("assets/bad.svg")),
];

/// Serves them.
pub(super) fn router() -> Router {
    ASSETS.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], content) }))
    })
}
