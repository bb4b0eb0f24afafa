//! Writes the tables of docs/access.md anew: `just access`. Rows of new routes have `?` in their cells, which
//! is for a person to decide.

use tidy::{Project, access};

fn main() -> std::io::Result<()> {
    let project = Project::read();
    let gateway = project
        .production()
        .filter(|file| file.is_in("gateway/src"));
    let routes = access::routes(gateway);
    let page = access::rewritten(project.text(access::PAGE), &routes);
    std::fs::write(Project::path(access::PAGE), page)
}
