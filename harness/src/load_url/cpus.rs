//! Which CPUs the generator takes.

use ::cores::Topology;

use crate::{exit::usage, load_url::LoadArgs};

/// Those asked for; else as many as asked for of those the server leaves free; else the generator's
/// half of the machine.
pub fn choose(args: &LoadArgs, server_cpus: Option<&[u32]>) -> anyhow::Result<Vec<u32>> {
    let topology = Topology::read()?;
    let allowed = topology.cpus();
    if let Some(cpu) = args.cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        return Err(usage(format!(
            "--cpus: this process may not use CPU {cpu}; choose from {allowed:?}"
        )));
    }
    let again = |(index, cpu): (usize, &u32)| args.cpus[..index].contains(cpu).then_some(*cpu);
    if let Some(cpu) = args.cpus.iter().enumerate().find_map(again) {
        return Err(usage(format!(
            "--cpus: CPU {cpu} stands there twice; each thread needs one of its own"
        )));
    }
    let given = !args.cpus.is_empty();
    let cpus = if given {
        args.cpus.clone()
    } else {
        pick(&allowed, &::cores::sides(&topology).1, server_cpus)
    };
    let threads = args.threads.map_or(cpus.len(), |threads| threads as usize);
    if threads <= cpus.len() {
        return Ok(cpus[..threads].to_vec());
    }
    if given {
        return Err(usage(format!(
            "--threads {threads}: each thread needs a CPU, and --cpus gives {}",
            cpus.len()
        )));
    }
    // More threads than the server leaves CPUs for: take what there is.
    let others = allowed.iter().filter(|cpu| !cpus.contains(cpu)).copied();
    let all: Vec<u32> = cpus.iter().copied().chain(others).collect();
    if threads > all.len() {
        return Err(usage(format!(
            "--threads {threads}: this process may use {} CPUs, and each thread needs one",
            all.len()
        )));
    }
    Ok(all[..threads].to_vec())
}

/// A server that keeps to some of the CPUs leaves the others to the generator.
fn pick(allowed: &[u32], half: &[u32], server_cpus: Option<&[u32]>) -> Vec<u32> {
    let Some(server_cpus) = server_cpus else {
        return half.to_vec();
    };
    let left: Vec<u32> = allowed
        .iter()
        .copied()
        .filter(|cpu| !server_cpus.contains(cpu))
        .collect();
    if left.is_empty() { half.to_vec() } else { left }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_goes_where_the_server_is_not() {
        assert_eq!(pick(&[0, 1], &[1], Some(&[1])), [0]);
        assert_eq!(pick(&[0, 1], &[1], Some(&[0, 1])), [1]);
        assert_eq!(pick(&[0, 1, 2, 3], &[2, 3], None), [2, 3]);
    }
}
