//! `/v1/fiat/map`: the fiat currencies that values can be converted to, for one credit.

use serde_json::{Value, json};

use super::Prepared;
use crate::currency::{FIATS, METALS};
use crate::fault::Fault;
use crate::query::Query;

pub(super) fn prepare<'m>(query: &Query) -> Result<Prepared<'m>, Fault> {
    query.allow(&["start", "limit", "sort", "include_metals"])?;
    let start = query.number("start", 1..=100_000_usize)?.unwrap_or(1);
    let limit = query
        .number("limit", 1..=5_000_usize)?
        .unwrap_or(usize::MAX);
    let by_name = query.choice("sort", &["id", "name"], "id")? == "name";
    let metals = query.flag("include_metals", false)?;
    Ok(Prepared::new(1, Vec::new(), move || {
        let mut rows: Vec<(&str, Value)> = Vec::new();
        for (id, name, sign, symbol, _) in FIATS {
            let mut row = json!({"id": id, "name": name, "sign": sign, "symbol": symbol});
            if metals {
                row["code"] = Value::Null;
            }
            rows.push((*name, row));
        }
        for (id, name, code) in METALS.iter().filter(|_| metals) {
            let row = json!({"id": id, "name": name, "sign": "", "symbol": "", "code": code});
            rows.push((*name, row));
        }
        if by_name {
            rows.sort_by_key(|(name, _)| *name);
        }
        let page = rows.into_iter().skip(start - 1).take(limit);
        page.map(|(_, row)| row).collect::<Value>().to_string()
    }))
}
